"""One step of a document -> Step: every text compiled, every rule about its keys checked."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TypeAlias, TypeVar

from pytest_lok.core.condition import Condition
from pytest_lok.core.document import (
    NAME,
    VERIFY_PRESETS,
    AnyStep,
    AskStep,
    GateDocument,
    ShellStep,
    StepDocument,
    keys,
)
from pytest_lok.core.model import AUTO, MOST_ITEMS, Action, Ask, ForEach, Format, Role, Shell, Step, Strategy
from pytest_lok.core.positions import Path
from pytest_lok.core.results import Json
from pytest_lok.core.scope import Names
from pytest_lok.core.shell import ShellTemplate
from pytest_lok.core.shell_argv import argv_faults, input_fault
from pytest_lok.core.shell_options import decides
from pytest_lok.core.source import File, Source
from pytest_lok.core.structure import closest
from pytest_lok.core.template import Template
from pytest_lok.errors import Fault

Read: TypeAlias = Callable[[str, Source], str]
Text = TypeVar("Text", Template, Condition, ShellTemplate)

_ASK_KEYS = keys(AskStep)
_SHELL_KEYS = keys(ShellStep)
_USUAL = keys(AnyStep) | {"prompt", "system", "model", "backend", "backends"}
_SEVERAL = ("consensus", "quorum", "vote_on", "weights", "synthesizer")
_ONLY_FOR = {
    "vote_on": (Strategy.VOTE, Strategy.WEIGHTED_VOTE),
    "weights": (Strategy.WEIGHTED_VOTE,),
    "synthesizer": (Strategy.SYNTHESIS,),
}
_ARRAYS = (Format.JSON_ARRAY, Format.JSONL, Format.LINES, Format.FINDINGS)
_BETWEEN_COMMAS = re.compile(r"[^,\s](?:[^,]*[^,\s])?")
_NO_VERIFY = (None, False, "", "false")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_AUTHORS = frozenset({"env", "project", "workflow"})
"""Names whose values no answer and no argument can choose."""
_EMPTY: tuple[object, ...] = ([], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the steps of one workflow have in common. ``backends`` None = any name will do.

    ``roles`` stand for several backends; the one called "" is for steps that name nobody. In ``ci``
    only what its operator types may become shell code.
    """

    names: Names
    continue_on_error: bool = False
    backends: Collection[str] | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    gate: GateDocument | None = None
    read: Read | None = None
    ci: bool = False


class StepReader:
    """Reads one step of a file.

    ``needs`` maps the steps it waits for to where it says so; ``arguments`` are those its texts
    cannot do without, ``places`` is the highest number of a positional one they read.
    """

    def __init__(self, file: File, index: int, shared: Shared) -> None:
        self.file = file
        self.document: StepDocument = file.document.steps[index]
        self.name = self.document.name
        self.needs: dict[str, Path] = {}
        self.arguments: set[str] = set()
        self.places = 0
        self._index = index
        self._written = file.steps()[index]
        self._shared = shared
        self._outer = shared.names
        self._inner = replace(shared.names, loop=True) if "for_each" in self._written else shared.names

    def step(self) -> Step | None:
        """The step; None if a problem of it has been reported."""
        before = len(self.file.problems)
        document = self.document
        self._name()
        self._dependencies()
        when, for_each = self._when(), self._for_each()
        action = self._action()
        schema, asserts = self._schema(), self._asserts()
        if action is None or len(self.file.problems) > before:
            return None
        return Step(
            name=self.name,
            action=action,
            depends_on=tuple(dict.fromkeys(document.depends_on or ())),
            needs=tuple(self.needs),
            when=when,
            timeout=document.timeout,
            retries=document.retries,
            retry_delay=document.retry_delay / 1000,
            continue_on_error=(
                self._shared.continue_on_error
                if document.continue_on_error is None
                else document.continue_on_error
            ),
            min_deps_success=document.min_deps_success,
            for_each=for_each,
            max_parallel=document.max_parallel,
            output_format=self._format(),
            output_schema=schema,
            asserts=asserts,
            path=self.file.source.path,
            line=self.file.step_lines[self._index],
        )

    @property
    def reports(self) -> bool:
        """Whether findings are what it puts out."""
        return self._format() is Format.FINDINGS

    # What every step may say

    def _name(self) -> None:
        if self._written.get("name", "") == "":
            self._report("this step has no name", 'for example: name = "review"')
        elif self.name and not re.fullmatch(NAME, self.name):
            fine = re.sub(r"[^A-Za-z0-9_]+", "-", self.name).strip("-") or "review"
            self._report(
                f"a step's name holds only letters, digits, _ and -, not {self.name!r}",
                f"for example: {fine}",
                "name",
            )

    def _dependencies(self) -> None:
        least, names = self.document.min_deps_success, self.document.depends_on or ()
        for at, name in enumerate(names):
            if name == self.name:
                self._report(f"step `{name}` depends on itself", "remove it", "depends_on", at)
            elif name not in self._outer.steps:
                hint = closest(name, self._outer.steps) or _choices(self._outer.steps)
                self._report(f"there is no step `{name}`", hint, "depends_on", at)
            else:
                self.needs.setdefault(name, self._at("depends_on", at))
        if least is not None and least > len(set(names)) and not self._misfits("depends_on"):
            self._report(
                f"`min_deps_success` is {least}, but `depends_on` names {len(set(names))}",
                "it counts what `depends_on` declares",
                "min_deps_success",
            )

    def _for_each(self) -> ForEach | None:
        value = self.document.for_each
        if value is None:
            if self.document.max_parallel is not None and not self._misfits("for_each"):
                self._report(
                    "`max_parallel` of a step counts items of `for_each`, and it has none",
                    "above the first [[steps]] it limits the steps running at once",
                    "max_parallel",
                )
            return None
        if isinstance(value, list):
            return self._items(value)
        if not value.lstrip().startswith("["):
            expression = self._text(Condition.parse_value, value, self._outer, "for_each")
            return None if expression is None else ForEach(expression=expression)
        try:
            return self._items(json.loads(value))
        except (ValueError, RecursionError) as error:
            said, at = (error.msg, error.pos) if isinstance(error, json.JSONDecodeError) else (error, 0)
            hint = "or name what holds one: steps.X.output, steps.X.field"
            fault = Fault(message=f"this is not a JSON array: {said}", start=at, end=at + 1, hint=hint)
            self.file.report_inside(self._at("for_each"), fault)
            return None

    def _items(self, items: list[Json]) -> ForEach:
        if len(items) > MOST_ITEMS:
            message = f"`for_each` has {len(items):,} items; at most {MOST_ITEMS:,} are run"
            self._report(message, "make several steps of them", "for_each", key=True)
        return ForEach(inline=tuple(items))

    def _when(self) -> Condition | None:
        written = "if" if "if" in self._written else "when"
        if "if" in self._written and "when" in self._written:
            self._report("`when` and `if` mean the same", "keep one; `a and b` joins two conditions", "if")
        source = self.document.if_ if written == "if" else self.document.when
        return self._text(Condition.parse, source, self._outer, written)

    def _asserts(self) -> tuple[Condition, ...]:
        if self.document.assert_ is None:
            return ()
        names = replace(self._inner, own=True)
        asserts = [
            self._text(Condition.parse, source, names, "assert", at)
            for at, source in enumerate(self.document.assert_)
        ]
        return tuple(condition for condition in asserts if condition is not None)

    def _format(self) -> Format:
        if self.document.output_format is not None:
            return Format(self.document.output_format)
        return Format.TEXT if self.document.output_schema is None else Format.JSON

    def _schema(self) -> dict[str, Json] | None:
        schema = self.document.output_schema
        if schema is None:
            return None
        if self.reports:
            self._report(
                "`output_schema` is for JSON of your own, and findings have a schema already",
                'leave it out, or set output_format = "json"',
                "output_schema",
                key=True,
            )
        if self._format() in (Format.TEXT, Format.LINES):
            self._report(
                f"`output_schema` describes JSON, but `output_format` is {self._format()}",
                'output_format = "json", or leave it out',
                "output_schema",
                key=True,
            )
        if isinstance(schema, str):
            schema = self._read(schema)
        if schema is not None:
            self._sound(schema)
        return schema

    def _sound(self, schema: dict[str, Json]) -> None:
        from pytest_lok.core.vocabulary import unsound

        wrong = unsound(schema)
        if wrong is None:
            return
        message, path, key = wrong.message, wrong.path, wrong.key
        if isinstance(self.document.output_schema, str):
            message, path, key = f"{message} (at {'/'.join(map(str, path)) or 'its top'})", (), False
        self._report(f"this is not JSON Schema: {message}", wrong.hint, "output_schema", *path, key=key)

    def _read(self, path: str) -> dict[str, Json] | None:
        """The JSON object in a file beside the workflow's."""
        try:
            if self._shared.read is None:
                raise OSError("this workflow has no directory to read files from")
            schema = json.loads(self._shared.read(path, self.file.source))
        except (OSError, ValueError, RecursionError) as error:
            hint = "the path starts at the workflow file's directory"
            self._report(f"cannot read the schema {path!r}: {error}", hint, "output_schema")
            return None
        if not isinstance(schema, dict):
            self._report(f"the schema {path!r} is no JSON object", "", "output_schema")
            return None
        return schema

    # What it does

    def _action(self) -> Action | None:
        match [key for key in ("prompt", "shell", "argv") if not self._silent(key)]:
            case ["prompt"]:
                self._alien(_SHELL_KEYS, "is for steps that run a command, and this one asks")
                return self._ask()
            case ["shell"] | ["argv"]:
                self._alien(_ASK_KEYS, "is for steps that ask, and this one runs a command")
                return self._shell()
            case []:
                self._report(
                    "this step does nothing",
                    "give it `prompt` to ask, or `shell` or `argv` to run a command",
                )
            case ["shell", "argv"]:
                self._report("a step has `shell` or `argv`, not both", "keep one", "argv", key=True)
            case ["prompt", *others]:
                self._report(
                    f"a step asks (`prompt`) or runs a command (`{others[0]}`), not both",
                    f"make two steps; the other reads {{{{ steps.{self.name}.output }}}}",
                    others[0],
                    key=True,
                )
        return None

    def _alien(self, keys: frozenset[str], message: str) -> None:
        for key in filter(keys.__contains__, self._written):
            if not self._silent(key):
                self._report(f"`{key}` {message}", "remove it, or make it a step of its own", key, key=True)

    def _ask(self) -> Ask | None:
        document = self.document
        backends, usual = self._cast(self._backends())
        strategy = Strategy(document.consensus) if document.consensus else usual
        if not self._written.keys() <= _USUAL:
            self._rare(backends, strategy)
        if self.reports:
            self._findings(backends, strategy)
        verify, preset = self._verify()
        prompt = self._text(Template.parse, document.prompt, self._inner, "prompt")
        system = self._text(Template.parse, document.system, self._inner, "system")
        if prompt is None:
            return None
        return Ask(
            prompt=prompt,
            backends=backends,
            model=document.model or "",
            system=system,
            consensus=strategy,
            quorum=document.quorum,
            vote_on=document.vote_on or "",
            weights=document.weights or {},
            synthesizer=document.synthesizer or "",
            apply_edits=document.apply_edits,
            verify=verify,
            verify_preset=preset,
            fix_retries=document.fix_retries,
            allow_empty=document.allow_empty,
            allow_paths=tuple(document.allow_paths or ()),
            rollback=document.rollback,
            repeat=document.repeat,
            required_passes=document.pass_,
        )

    def _rare(self, backends: tuple[str, ...], strategy: Strategy) -> None:
        """The rules about keys that few steps have."""
        if len(backends) > 1:
            self._consensus(backends, strategy)
        elif not self._misfits("backend") and not self._misfits("backends"):
            self._no_consensus(backends)
        self._edits()
        self._repetition()

    def _backends(self) -> tuple[str, ...]:
        silent = self._silent("backends")
        if not silent and not self._silent("backend"):
            self._report("`backend` and `backends` mean the same", "keep one", "backends", key=True)
        key = "backend" if silent else "backends"
        value = (self.document.backend if silent else self.document.backends) or []
        if isinstance(value, str):
            texts = [(value, self._at(key))]
        else:
            texts = [(text, self._at(key, at)) for at, text in enumerate(value)]
        names: list[str] = []
        for text, path in texts:
            for found in _BETWEEN_COMMAS.finditer(text):
                if fault := self._backend_fault(found, names):
                    self.file.report_inside(path, fault)
                names.append(found[0])
        if AUTO in names and len(names) > 1:
            self._report('"auto" chooses by itself and stands alone', "remove it, or the others", key)
        if value and not names:
            self._report(f"`{key}` names nobody", 'leave it out, or write "auto"', key)
        return tuple(names)

    def _cast(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], Strategy]:
        """The backends behind the names, and how they agree: a role that stands alone has a say in it."""
        roles = self._shared.roles
        alone = roles.get(",".join(names))
        backends = dict.fromkeys(
            backend
            for name in (names or [""])
            for backend in (roles[name].backends if name in roles else filter(None, [name]))
        )
        return tuple(backends), (alone and alone.consensus) or Strategy.SYNTHESIS

    def _backend_fault(self, found: re.Match[str], before: Collection[str]) -> Fault | None:
        name = found[0]
        if name in before:
            message, hint = f"backend `{name}` stands here twice", "remove one"
        elif self._known(name) or name in self._shared.roles:
            return None
        else:
            message, hint = f"there is no backend `{name}`", self._which(name, self._shared.roles)
        return Fault(message=message, start=found.start(), end=found.end(), hint=hint)

    def _known(self, backend: str) -> bool:
        return self._shared.backends is None or backend == AUTO or backend in self._shared.backends

    def _which(self, backend: str, more: Iterable[str] = ()) -> str:
        known = self._shared.backends or ()
        return closest(backend, [*known, *more, AUTO]) or (
            f"{_choices(known)}; add it to lok.toml as [backends.{backend}]"
        )

    def _no_consensus(self, backends: tuple[str, ...]) -> None:
        asks = f"asks only `{backends[0]}`" if backends else "names none"
        for key in _SEVERAL:
            if key in self._written:
                self._report(
                    f"`{key}` is about several backends, and this step {asks}",
                    'name them: backends = ["claude", "codex"]',
                    key,
                    key=True,
                )

    def _consensus(self, backends: tuple[str, ...], strategy: Strategy) -> None:
        document = self.document
        for key, strategies in _ONLY_FOR.items():
            if key in self._written and strategy not in strategies and not self._misfits("consensus"):
                self._report(
                    f'`{key}` has no meaning with consensus = "{strategy}"',
                    f'it goes with consensus = "{strategies[0]}"',
                    key,
                    key=True,
                )
        if document.vote_on:
            self._object("`vote_on` names a field of an object", "vote_on")
        if isinstance(document.quorum, int) and document.quorum > len(backends):
            self._report(
                f"`quorum` is {document.quorum}, but only {len(backends)} backends are asked",
                'a smaller number, "majority" or "all"',
                "quorum",
            )
        for name in (document.weights or {}).keys() - set(backends):
            self._report(
                f"`weights` names `{name}`, which is not asked",
                closest(name, backends) or f"asked are: {', '.join(backends)}",
                "weights",
                name,
                key=True,
            )
        judge = document.synthesizer
        if judge is not None and (judge == AUTO or not self._known(judge)):
            self._report(f"there is no backend `{judge}`", self._which(judge), "synthesizer")

    def _findings(self, backends: tuple[str, ...], strategy: Strategy) -> None:
        """Several backends' findings are merged one by one, and a gate counts who reports each."""
        document, gate = self.document, self._shared.gate
        if len(backends) > 1 and strategy in (Strategy.VOTE, Strategy.WEIGHTED_VOTE):
            self._report(
                f'consensus = "{strategy}" compares whole answers, and findings are compared one by one',
                'consensus = "synthesis"; `quorum` below [gate] says how many must report a finding',
                *(["consensus"] if document.consensus else []),
            )
        if document.synthesizer:
            self._report(
                "`synthesizer` has nothing to do: findings are merged without another question",
                "remove it",
                "synthesizer",
                key=True,
            )
        asked = 1 if strategy is Strategy.FIRST else len(backends)
        for key in ("quorum", "min_backends"):
            wanted = getattr(gate, key, None)
            if backends and isinstance(wanted, int) and wanted > asked:
                heard = "takes the first answer" if len(backends) > 1 else f"asks only `{backends[0]}`"
                self._report(
                    f"`{key}` below [gate] is {wanted}, and this step "
                    + (f"asks {asked} backends" if asked > 1 else heard),
                    "ask more backends, or lower it",
                )

    def _edits(self) -> None:
        document = self.document
        idle = {
            "allow_empty": document.allow_empty,
            "allow_paths": bool(document.allow_paths),
            "rollback": not document.rollback,
        }
        for key in [key for key in idle if idle[key] and not document.apply_edits]:
            self._report(
                f"`{key}` is about edits, and this step applies none", "apply_edits = true", key, key=True
            )
        checked = document.apply_edits or document.verify not in _NO_VERIFY or document.assert_
        if document.fix_retries and not checked and self._format() is Format.TEXT:
            self._report(
                "`fix_retries` asks again about an answer that fails a check, and this step has none",
                "`retries` repeats a question that could not be answered",
                "fix_retries",
                key=True,
            )
        if document.apply_edits:
            self._object("`apply_edits` needs an object that holds `edits`", "apply_edits")

    def _repetition(self) -> None:
        document = self.document
        if document.apply_edits and document.repeat > 1:
            self._report(
                "`repeat` asks for several answers, and the edits of only one can be applied",
                "`fix_retries` asks again after edits that do not hold",
                "repeat",
                key=True,
            )
        if document.pass_ is not None and document.pass_ > document.repeat:
            self._report(
                f"`pass` is {document.pass_}, but `repeat` asks {document.repeat} times",
                "at most as many as `repeat`",
                "pass",
            )

    def _object(self, need: str, key: str) -> None:
        """A problem where the step's output is declared to be an array."""
        if self._format() in _ARRAYS:
            self._report(f"{need}, but `output_format` is {self._format()}", 'output_format = "json"', key)

    def _verify(self) -> tuple[ShellTemplate | None, str]:
        """A command, or the name of a preset; neither = off."""
        verify = self.document.verify
        if verify in _NO_VERIFY:
            return None, ""
        if not isinstance(verify, str) or verify in ("true", *VERIFY_PRESETS):
            return None, str(verify).lower()
        return self._text(ShellTemplate.parse, verify, self._inner, "verify"), ""

    def _shell(self) -> Shell | None:
        document, names = self.document, self._inner
        unsafe = functools.partial(ShellTemplate.parse, unsafe=document.unsafe_shell)
        shell = self._text(unsafe, document.shell or None, names, "shell")
        if shell is not None and document.unsafe_shell and self._shared.ci:
            self._untyped(shell)
        if shell is not None and not document.pipefail:
            for remark in shell.remarks():
                self.file.remark_inside(self._at("shell"), remark)
        argv = [
            self._text(Template.parse, word, names, "argv", at) for at, word in enumerate(document.argv or ())
        ]
        self._command()
        stdin = self._text(Template.parse, document.stdin, names, "stdin")
        env = {
            name: self._text(Template.parse, value, names, "env", name)
            for name, value in (document.env or {}).items()
        }
        cwd = self._text(Template.parse, document.cwd, names, "cwd")
        self._values(env, stdin)
        if shell is None and None in (argv or [None]):
            return None
        return Shell(
            shell=shell,
            pipefail=document.pipefail,
            argv=tuple(word for word in argv if word is not None),
            stdin=stdin,
            env={name: value for name, value in env.items() if value is not None},
            cwd=cwd,
        )

    def _values(self, env: Mapping[str, Template | None], stdin: Template | None) -> None:
        """Problems where a value would be code by way of ``argv``, ``env`` or ``stdin``."""
        document = self.document
        for number, fault in argv_faults(document.argv or ()):
            self.file.report_inside(self._at("argv", number), fault)
        for name, value in env.items():
            if value is not None and value.names - _AUTHORS and decides(name) and not document.unsafe_shell:
                self._report(
                    f"a value cannot be in `{name}`, which decides what is run",
                    "give it to the command in a variable of your own",
                    "env",
                    name,
                )
        if stdin is not None and stdin.names - _AUTHORS and not document.unsafe_shell:
            command = document.shell or shlex.join(document.argv or ())
            if "{{" not in command and (what := input_fault(command)):
                self._report(
                    f"a value cannot be {what}",
                    "let the command read it as data, or give it in a variable of your own with `env`",
                    "stdin",
                )

    def _untyped(self, shell: ShellTemplate) -> None:
        for placeholder in shell.placeholders:
            if placeholder.template.names - {"arg"}:
                fault = Fault(
                    message="in CI no text but the workflow's arguments may become shell code",
                    start=placeholder.start,
                    end=placeholder.end,
                    hint="pass it by `argv` or `stdin`; `unsafe_shell` is for where you read it first",
                )
                self.file.report_inside(self._at("shell"), fault)

    def _command(self) -> None:
        document = self.document
        if document.argv and ("{{" in document.argv[0] or not document.argv[0].strip()):
            self._report(
                "the first item of `argv` is the program, and must be written out",
                "values may stand in the items after it",
                "argv",
                0,
            )
        if document.argv and document.unsafe_shell:
            self._report("`unsafe_shell` is about `shell`", "`argv` needs no shell", "unsafe_shell", key=True)
        if document.argv and document.pipefail:
            self._report("`pipefail` is about `shell`", "`argv` has no pipes", "pipefail", key=True)
        for name in document.env or ():
            if not _VARIABLE.fullmatch(name):
                self._report(
                    f"{name!r} cannot be the name of an environment variable",
                    "letters, digits and _",
                    "env",
                    name,
                    key=True,
                )
        where = PurePosixPath(document.cwd or "")
        if where.is_absolute() or ".." in where.parts:
            self._report("`cwd` must lie inside the workspace", "a path relative to its root", "cwd")

    # Plumbing

    def _at(self, *key: str | int) -> Path:
        return ("steps", self._index, *key)

    def _report(self, message: str, hint: str, *at: str | int, key: bool = False) -> None:
        """A problem of the value at a key of this step; of its header where none is given."""
        self.file.report(self._at(*at), message, hint, key=key or not at)

    def _silent(self, key: str) -> bool:
        """Whether a key is absent, or holds what says nothing (lok's defaults, written out)."""
        value = self._written.get(key, "")
        return not value.strip() if isinstance(value, str) else value in _EMPTY

    def _misfits(self, key: str) -> bool:
        """Whether a key holds something that could not be used, which has been reported."""
        return key in self._written and key not in self.document.model_fields_set

    def _text(
        self, parse: Callable[[str, Names], Text], source: str | None, names: Names, *key: str | int
    ) -> Text | None:
        """A compiled text, after noting what it refers to; None where there is none, or a faulty one."""
        if source is None:
            return None
        path = self._at(*key)
        text = self.file.compile(path, lambda: parse(source, names))
        if text is not None:
            self.arguments |= text.arguments
            self.places = max(self.places, text.places)
            if isinstance(text, Condition):
                self._judges(text, path)
                for fault in text.warnings:  # what nobody reads in CI is no warning
                    (self.file.report_inside if self._shared.ci else self.file.warn_inside)(path, fault)
            for name in sorted(text.steps):
                self._refer(name, path, source)
        return text

    def _judges(self, condition: Condition, path: Path) -> None:
        for name in {backend for _, backend in condition.rubrics if backend and not self._known(backend)}:
            start = max(condition.source.find(name), 0)
            message, hint = f"there is no backend `{name}`", self._which(name)
            fault = Fault(message=message, start=start, end=start + len(name), hint=hint)
            self.file.report_inside(path, fault)

    def _refer(self, name: str, path: Path, source: str) -> None:
        if name != self.name:
            self.needs.setdefault(name, path)
            return
        found = re.search(rf"(?:steps\.)?{re.escape(name)}", source)
        start, end = found.span() if found else (0, 0)
        hint = "its own output is not there yet"
        if "assert" in path:
            hint = "in `assert` its own result is `output`, `json`, `cost`, `seconds`"
        message = f"step `{name}` refers to itself"
        self.file.report_inside(path, Fault(message=message, start=start, end=end, hint=hint))


def _choices(names: Iterable[str]) -> str:
    return f"there are: {', '.join(sorted(names)) or 'none'}"
