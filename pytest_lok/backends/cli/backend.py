"""A prompt -> a reply, by a command line tool: any of them, or one with a dialect of its own."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field, replace
from pathlib import Path

from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.dialect import (
    ANY,
    Access,
    AgentQuestion,
    CliDialect,
    CliError,
    CliOption,
    CliReply,
    CliResult,
    Conversation,
    exit_error,
    strip_ansi,
)
from pytest_lok.backends.cli.environment import (
    allowed_part,
    contents_of,
    find_program,
    private_directory,
    search_path,
    split_command,
)
from pytest_lok.backends.cli.remedies import missing_program_hint, variable_hint
from pytest_lok.core.asking.answer_options import Options
from pytest_lok.core.results import Reply
from pytest_lok.core.text.invisible import squeezed
from pytest_lok.core.text.truncation import truncate
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Completed, ProcessRunner, ProcessSpec, Prompt
from pytest_lok.errors import BackendError, BackendFault, StepUnableError
from pytest_lok.late_regex import late_regex

LONGEST_ARGUMENT = 120_000
"""Bytes; systems take less than 128 KiB in one argument."""

_PLACE = late_regex(r"\{(prompt|model|system)\}")
_SECRETS = ("_KEY", "_TOKEN")
_SHOWN = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CliConfig:
    """A command line tool, as a user has set it up.

    ``command`` "" = the dialect's own program. ``{prompt}``, ``{model}`` and ``{system}`` in ``args`` are
    filled in; with ``{prompt}`` stdin is empty. ``access`` "none" runs the tool in an empty directory.

    Of the user's environment the tool sees what every program needs, the variables named by ``env``, and its
    key: from ``key_env``, or from the dialect's variables unless ``usual_keys`` is False.

    If the tool prints plain text, ``skip_lines`` is the length of its banner, a match of ``fail_on`` is a
    failure, and the group of ``answer`` is the answer. ``idle`` is the longest silence in seconds; after that
    the tool counts as hanging. ``allow_refusals`` takes the answer of an agent that was refused
    something. ``options`` are those of its answers.
    """

    command: str = ""
    args: Sequence[str] = ()
    dialect: CliDialect = ANY
    model: str = ""
    access: Access = "read"
    env: Sequence[str] = ()
    key_env: str = ""
    usual_keys: bool = True
    skip_lines: int = 0
    fail_on: str = ""
    answer: str = ""
    idle: float = math.inf
    allow_refusals: bool = False
    options: Options = field(default_factory=dict)


class CommandBackend:
    """Asks a command line tool: one process per prompt, the prompt on stdin, the output in files."""

    def __init__(
        self,
        name: str,
        config: CliConfig,
        *,
        run: ProcessRunner,
        workspace: str | Path,
        environ: Mapping[str, str],
    ) -> None:
        dialect = config.dialect
        self._name = name
        self._config = config
        self._dialect = dialect
        self._run = run
        self._environ = environ
        self._workspace = Path(workspace)
        self._program, self._args = split_command(config.command or dialect.program, config.args)
        self.takes_images = dialect.show is not None and not self._has_placeholder("prompt")
        usual = dialect.keys if config.usual_keys else ()
        self._env = {**allowed_part(environ, (*usual, *config.env, config.key_env)), **dialect.env}
        if dialect.keys and config.key_env in environ:
            self._env[dialect.keys[0]] = environ[config.key_env]
        if "PATH" in self._env:
            self._env["PATH"] = search_path(environ)

    @property
    def name(self) -> str:
        return self._name

    def unavailable(self) -> BackendError | None:
        """NOT_INSTALLED where the program is missing, NOT_CONFIGURED where the arguments cannot work."""
        program = self._program[0]
        if not program:
            hint = f'set `command = "…"` in [backends.{self._name}]'
            return self._error(BackendFault.NOT_CONFIGURED, "it has no command", hint)
        if self._config.model and not self._dialect.takes_model and not self._has_placeholder("model"):
            return self._no_placeholder("model")
        if self._program_path() is None:
            return self._error(
                BackendFault.NOT_INSTALLED,
                f"command not found: {program}",
                missing_program_hint(self._name, program, self._dialect),
            )
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        problem = self.unavailable()
        if problem is not None:
            raise problem
        dialect = self._dialect
        wanted = dialect.answer_options(self._config.options, prompt, self._config.access)
        if unknown := sorted(wanted.keys() - dialect.takes.keys()):
            hint = f"take it out of [backends.{self._name}] and of the step"
            raise self._error(BackendFault.NOT_CONFIGURED, f"it knows no option {unknown[0]!r}", hint)
        text, options = self._text_and_options(prompt, wanted)
        place = _directory(self._config, self._workspace, wanted)
        with place as directory, dialect.showing(text, prompt.images) as (text, images):
            conversation = _conversation(self._config, prompt, text, directory)
            spec = self._process_spec(prompt, text, [*images, *options], directory)
            if conversation is not None:
                spec = replace(spec, stdin=conversation.opening, reply=conversation.receive, spool=False)
            try:
                done = await self._run(spec)
            except StepUnableError as error:
                raise self._error(BackendFault.CRASHED, error.message, error.hint) from error
            except TimeoutError as error:
                # the silence was too long; a prompt's own time limit cancels instead
                raise self._error(
                    BackendFault.TIMEOUT,
                    f"it printed nothing for {self._config.idle:g} s",
                    f"try again, or raise `idle_timeout` in [backends.{self._name}]",
                ) from error
            result = await self._read(spec, done, conversation)
            if isinstance(result, CliReply) and dialect.log:
                result = dialect.read_log(contents_of(directory / dialect.log)) or result
        if isinstance(result, CliError):
            raise self._tool_error(result, spec, done)
        model = result.model or prompt.model or self._config.model
        return Reply(text=result.text, backend=self._name, model=model, usage=result.usage)

    async def aclose(self) -> None:
        """Nothing is held between prompts."""

    async def version(self, *, limit: float) -> str:
        """The first line of the tool's version; BackendError where there is none in time.

        "" for a tool that nothing is known about, and for one that a launcher would have to fetch first.
        """
        if not self._dialect.version or self.unavailable() or len(self._program) > 1:
            return ""
        import asyncio

        with _directory(self._config, self._workspace, {}) as directory:
            argv = (self._program_path() or self._program[0], *self._dialect.version)
            spec = ProcessSpec(argv=argv, env=self._env, cwd=str(directory), spool=True)
            try:
                async with asyncio.timeout(limit):
                    done = await self._run(spec)
            except StepUnableError as error:
                raise self._error(BackendFault.CRASHED, error.message, error.hint) from error
            except TimeoutError as error:
                why = f"no version within {limit:g} s"
                raise self._error(BackendFault.TIMEOUT, why, f"try it by hand: {shlex.join(argv)}") from error
        if done.exit_code or not done.stdout.strip():
            raise self._tool_error(exit_error(done), spec, done)
        return truncate(done.stdout.strip().splitlines()[0], _SHOWN)

    def key_variable(self) -> str | None:
        """The variable with the key.

        "" = none is set, and only the tool knows whether the user is signed in.
        """
        names = (self._config.key_env, *(name for name in self._dialect.keys if name.endswith(_SECRETS)))
        found = next((name for name in names if self._env.get(name)), "")
        return found if found or self._dialect.sign_in else None

    def session_file(self) -> str:
        return self._dialect.session_file(self._env)

    # --- the question

    def _text_and_options(self, prompt: Prompt, wanted: Options) -> tuple[str, list[CliOption]]:
        """The text to send, and every option that lok adds."""
        dialect = self._dialect
        options = [
            _with_workspace(option, str(self._workspace))
            for option in dialect.options_for(self._config.access, self._env, wanted)
        ]
        model = prompt.model or self._config.model
        # some tools would take such a name for an option of theirs
        if model.startswith("-"):
            raise self._error(
                BackendFault.NOT_CONFIGURED,
                f"no model is called {model!r}",
                f"correct the name of the model; [backends.{self._name}] has `model` too",
            )
        if model and not self._has_placeholder("model"):
            if not dialect.takes_model:
                raise self._no_placeholder("model")
            if dialect.model is not None:
                options.append(replace(dialect.model, value=model, fixed=True))
        if not model and dialect.model is not None and dialect.usual_model:
            options.append(replace(dialect.model, value=dialect.usual_model))
        if not model and self._has_placeholder("model"):
            raise self._error(
                BackendFault.NOT_CONFIGURED,
                "its args need a model for {model}",
                f"set `model` in [backends.{self._name}]",
            )
        text = prompt.text
        if prompt.system and not self._has_placeholder("system"):
            if dialect.system is not None and len(prompt.system.encode()) <= LONGEST_ARGUMENT:
                options.append(replace(dialect.system, value=prompt.system))
            else:
                text = f"{prompt.system}\n\n{text}"
        self._check_length(text := dialect.escape_prompt(text))
        return text, options

    def _check_length(self, text: str) -> None:
        if self._has_placeholder("prompt") and len(text.encode()) > LONGEST_ARGUMENT:
            raise self._error(
                BackendFault.TOO_LONG,
                f"the prompt is too long for an argument of {self._program[0]} ({LONGEST_ARGUMENT} bytes)",
                f"take {{prompt}} out of `args` in [backends.{self._name}]: on stdin it may be longer",
            )
        limit = self._dialect.limit
        if limit is not None and self._dialect.size(text) > limit:
            raise self._error(
                BackendFault.TOO_LONG,
                f"the prompt is longer than the {limit} that {self._program[0]} takes whole",
                faults.remedy(BackendFault.TOO_LONG, self._name),
            )

    def _process_spec(
        self, prompt: Prompt, text: str, options: Sequence[CliOption], directory: Path
    ) -> ProcessSpec:
        values = {"prompt": text, "model": prompt.model or self._config.model, "system": prompt.system}
        words = self._dialect.arguments(
            self._args, options, lambda word: _PLACE.sub(lambda place: values[place[1]], word)
        )
        return ProcessSpec(
            argv=(self._program_path() or self._program[0], *self._program[1:], *words),
            env=self._env,
            cwd=str(directory),
            stdin=b"" if self._has_placeholder("prompt") else text.encode(),
            # Some tools lose at their exit what a pipe has not taken yet.
            spool=True,
            report_unread=self._dialect.is_plain,
            idle=self._config.idle,
            is_finished=self._dialect.is_finished,
        )

    # --- the answer

    async def _read(self, spec: ProcessSpec, done: Completed, conversation: Conversation | None) -> CliResult:
        config, is_plain = self._config, self._dialect.is_plain
        if is_plain and config.skip_lines:
            done = replace(done, stdout="\n".join(done.stdout.split("\n")[config.skip_lines :]))
        if is_plain and (config.fail_on or config.answer):
            result = await _matched(done, config)
        elif conversation is not None:
            result = conversation.result(done)
        else:
            result = self._dialect.read(done)
        if isinstance(result, CliError):
            return result
        return _output_problem(self._name, spec, done, result) or result

    def _tool_error(self, failure: CliError, spec: ProcessSpec, done: Completed) -> BackendError:
        hint = faults.remedy(failure.kind, self._name)
        if failure.hint:
            hint = failure.hint
        elif failure.kind is BackendFault.AUTH:
            handed = {*self._env, *(self._dialect.keys if self._config.usual_keys else ())}
            asked = variable_hint(self._name, failure.message, handed, self._environ)
            hint = asked or self._dialect.sign_in or hint
        elif failure.kind in (BackendFault.CRASHED, BackendFault.BAD_OUTPUT):
            hint = f"try it by hand: {truncate(shlex.join(spec.argv), _SHOWN)}"
        said = self._dialect.words(done).strip()
        return BackendError(
            f"{self._name}: {truncate(failure.message, _SHOWN)}",
            kind=failure.kind,
            backend=self._name,
            hint=hint,
            output=said[-_SHOWN:],
            retry_after=faults.retry_after(f"{failure.message}\n{done.stderr}"),
            cost_usd=failure.cost_usd,
        )

    # --- what is there

    def _program_path(self) -> str | None:
        return find_program(self._program[0], self._env, self._workspace)

    def _has_placeholder(self, what: str) -> bool:
        return any(f"{{{what}}}" in word for word in self._args)

    def _no_placeholder(self, what: str) -> BackendError:
        return self._error(
            BackendFault.NOT_CONFIGURED,
            f"it is given a {what}, and its args have no place for it",
            f"put {{{what}}} into `args` of [backends.{self._name}]",
        )

    def _error(self, kind: BackendFault, message: str, hint: str) -> BackendError:
        return BackendError(f"{self._name}: {message}", kind=kind, backend=self._name, hint=hint)


async def _matched(done: Completed, config: CliConfig) -> CliResult:
    import asyncio

    from pytest_lok.backends.cli.patterns import match_output

    return await asyncio.to_thread(match_output, done, config.fail_on, config.answer)


def _conversation(config: CliConfig, prompt: Prompt, text: str, directory: Path) -> Conversation | None:
    """The conversation with a tool that is asked so; None with any other."""
    if config.dialect.converse is None:
        return None
    here, allowed = str(directory), config.allow_refusals
    in_args = any("{model}" in word for word in config.args)
    model = "" if in_args else prompt.model or config.model
    return config.dialect.converse(
        AgentQuestion(text=text, model=model, directory=here, allow_refusals=allowed)
    )


def _directory(config: CliConfig, workspace: Path, wanted: Options) -> AbstractContextManager[Path]:
    """The directory that the tool runs in: the workspace, or a private one for this question."""
    files = config.dialect.private.get(config.access)
    if files is None:
        return nullcontext(workspace)
    return private_directory(config.dialect.adjust(files, wanted))


def _with_workspace(option: CliOption, here: str) -> CliOption:
    value = option.value and option.value.replace("{workspace}", here)
    return replace(option, value=value, key=option.key.replace("{workspace}", here))


def _output_problem(name: str, spec: ProcessSpec, done: Completed, result: CliReply) -> CliError | None:
    """Why an output is no answer whatever it says: cut, empty, or the prompt was not read to its end."""
    if done.cut and spec.reply is None:  # a conversation has heard everything
        return CliError(kind=BackendFault.BAD_OUTPUT, message="it printed more than can be kept")
    if done.unread:
        size = len(spec.stdin)
        return CliError(
            kind=BackendFault.BAD_OUTPUT,
            message=f"it took {size - done.unread:,} of {size:,} bytes of its prompt",
            hint=f"it has to read stdin to its end; or put {{prompt}} into `args` of [backends.{name}]",
        )
    if not squeezed(result.text):
        said = strip_ansi(done.stderr).strip()
        return CliError(
            kind=faults.fault_of_text(said) or BackendFault.EMPTY,
            message=f"gave an empty answer; on stderr: {said}" if said else "gave an empty answer",
            hint="" if said else "try again, or word the prompt so that it asks for something",
        )
    return None
