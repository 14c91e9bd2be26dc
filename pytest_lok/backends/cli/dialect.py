"""What a command line tool is like, as data: how it is called, and how its output is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.cli.environment import image_files
from pytest_lok.core.asking.answer_options import Options
from pytest_lok.core.results import Usage
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Completed, Prompt
from pytest_lok.errors import BackendFault
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.asking.images import Image

Access: TypeAlias = Literal["read", "none"]

_ONE_CALL = Usage(calls=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CliReply:
    """The answer of a tool, with the model and the usage if the tool tells them."""

    text: str
    model: str = ""
    usage: Usage = _ONE_CALL


@dataclass(frozen=True, slots=True, kw_only=True)
class CliError:
    """Why a tool did not answer, in its own words. ``hint`` "" = the usual hint for that kind.

    ``cost_usd`` is what it took all the same, None = it does not say.
    """

    kind: BackendFault
    message: str
    hint: str = ""
    cost_usd: float | None = None


CliResult: TypeAlias = CliReply | CliError


class Conversation(Protocol):
    """One question to a tool that is asked message by message; pure, for it only sees bytes."""

    @property
    def opening(self) -> bytes:
        """What is said before the tool says anything."""
        ...

    def receive(self, data: bytes) -> bytes | None:
        """Take the next piece of what the tool says: what to answer; None when nothing is left to say."""
        ...

    def result(self, done: Completed) -> CliResult:
        """What came of it, once the process has ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentQuestion:
    """What a conversation is about: a text, the model "" = the tool's own, the tool's directory.

    ``allow_refusals`` takes an answer although a tool was refused on the way to it.
    """

    text: str
    model: str
    directory: str
    allow_refusals: bool = False


_COLOURS = late_regex(
    # colours, and moves of the cursor
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    # titles, links
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-~]"
)
# of Node's report of a crash what is no message: frames, brackets, its version
_TRACE = late_regex(r"at .*(:\d+:\d+|<anonymous>|native)\)?( \{)?|[\[\]{}(),;\s]*|Node\.js v[\d.]+")
_LINE_ENDS = late_regex("\r+\n|[\r\v\f\x85\u2028\u2029]")
_UNSEEN = late_regex("[\x00-\x08\x0e-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


def strip_ansi(text: str) -> str:
    """Text without terminal colours, which some tools print whatever they are told."""
    return _COLOURS.sub("", text)


def as_displayed(text: str) -> str:
    """Text as a terminal shows it, for patterns: with plain line ends and without invisible characters."""
    return _UNSEEN.sub("", _LINE_ENDS.sub("\n", strip_ansi(text)))


def read_plain(done: Completed) -> CliResult:
    """The result of a tool that prints its answer and nothing else."""
    return CliReply(text=strip_ansi(done.stdout).strip()) if done.exit_code == 0 else exit_error(done)


def exit_error(done: Completed) -> CliError:
    """The error of a tool that exited non-zero, with the line that says most, else its last line."""
    said = strip_ansi(done.stderr).strip() or strip_ansi(done.stdout).strip()
    how = f"exit code {done.exit_code}" if done.exit_code >= 0 else f"signal {-done.exit_code}"
    lines = [line.strip() for line in said.split("\n")]
    lines = [line for line in lines if not _TRACE.fullmatch(line)] or lines
    last = (
        lines[-1] if faults.fault_of_text(lines[-1]) else next(filter(faults.fault_of_text, lines), lines[-1])
    )
    return CliError(
        kind=faults.fault_of_text(said) or BackendFault.CRASHED, message=f"{how}: {last}" if last else how
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CliOption:
    """One option lok gives, under its first name, unless the user's ``args`` have it under any name.

    ``key`` tells apart options of one name (``-c KEY=VALUE``, ``--disable FEATURE``). ``fixed``: lok
    depends on it (an output format), so the user's is replaced.
    """

    names: tuple[str, ...]
    value: str | None = None
    key: str = ""
    fixed: bool = False

    def words(self) -> list[str]:
        """The words of the option on a command line."""
        return [self.names[0]] if self.value is None else [self.names[0], self.value]

    def find(self, words: Sequence[str]) -> slice | None:
        """Where in ``words`` the user gives the option; None if nowhere."""
        for at, word in enumerate(words):
            if word == "--":
                break
            name, equals, value = word.partition("=")
            if name not in self.names:
                continue
            end = at + 1
            if not equals and self.value is not None and end < len(words):
                value, end = words[end], end + 1
            if value.startswith(self.key):
                return slice(at, end)
        return None


def flag(*names: str, join: str = "") -> Callable[[Any], Sequence[CliOption]]:
    """What hands an option of an answer to a tool by a flag; ``join`` stands between the items of a list."""

    def hand_on(value: Any) -> Sequence[CliOption]:
        text = join.join(value) if isinstance(value, list) else json.dumps(value)
        return [CliOption(names=names, value=value if isinstance(value, str) else text, fixed=True)]

    return hand_on


def _as_they_are(files: Mapping[str, str], _: Options) -> Mapping[str, str]:
    """The ``adjust`` of a tool whose options of an answer are on its command line."""
    return files


def _no_failure(_: str) -> None:
    """The ``read_log`` of a tool without a log: no failure."""


def _nothing_more(_: Mapping[str, str]) -> tuple[CliOption, ...]:
    """The ``more_options`` of a tool whose options do not depend on the user's own settings of it."""
    return ()


def _bytes(text: str) -> int:
    return len(text.encode())


ShowImages: TypeAlias = "Callable[[str, Sequence[Image], Sequence[Path]], tuple[str, list[CliOption]]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class CliDialect:
    """One row: a tool's ways.

    Calling it: ``subcommand`` is its subcommand; ``options`` and those of the ``access`` mode follow the
    user's words, ``trailing`` is last; ``more_options`` depend on the user's own settings of the tool,
    which its environment leads to. ``model`` and ``system`` are the options whose value is put in when
    there is one; a tool without the latter gets the system prompt in front of the prompt, which is
    on stdin. ``show(text, images, files)`` gives what is written to a tool that is shown images, which
    the files hold, and the options for that; None = it takes no images. ``usual_model`` is asked
    where nobody names one ("" = the tool chooses). ``env`` is always set; ``keys`` are passed on where they
    are set, the first being the key itself. ``private`` holds the files of an otherwise empty directory it
    runs in, by access mode; in other modes it runs in the workspace. ``{workspace}`` in an option's value is
    the workspace's path.

    Options of an answer: ``takes`` makes options of the command line of each that it knows, which replace its
    own of the same name; ``adjust`` writes them into its private files.

    Its limits: ``limit`` is the longest prompt it takes whole, measured by ``size``. ``escape_prompt``
    rewords a prompt that the tool would take for a command of its own.

    ``converse`` begins the conversation with a tool that is asked message by message: its prompt and its
    model go there, and ``read`` is not used.

    What it says: ``read``; ``is_finished`` knows whether nothing more will come, None = only its exit tells.
    ``read_log`` finds in ``log``, a file of its private directory, why an answer is none after all.
    Its version after ``version``. ``install`` and ``sign_in`` are remedies. Its user is signed in where one
    of ``session_files`` is there; they may begin with ``~`` or a variable.
    """

    program: str = ""
    install: str = ""
    sign_in: str = ""
    version: tuple[str, ...] = ()
    subcommand: str = ""
    options: tuple[CliOption, ...] = ()
    access: Mapping[Access, tuple[CliOption, ...]] = field(default_factory=dict)
    more_options: Callable[[Mapping[str, str]], Sequence[CliOption]] = _nothing_more
    trailing: tuple[str, ...] = ()
    model: CliOption | None = None
    usual_model: str = ""
    system: CliOption | None = None
    show: ShowImages | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    session_files: tuple[str, ...] = ()
    private: Mapping[Access, Mapping[str, str]] = field(default_factory=lambda: {"none": {}})
    takes: Mapping[str, Callable[[Any], Sequence[CliOption]]] = field(default_factory=dict)
    adjust: Callable[[Mapping[str, str], Options], Mapping[str, str]] = _as_they_are
    limit: int | None = None
    size: Callable[[str], int] = _bytes
    escape_prompt: Callable[[str], str] = str
    read: Callable[[Completed], CliResult] = read_plain
    converse: Callable[[AgentQuestion], Conversation] | None = None
    is_finished: Callable[[str], bool] | None = None
    log: str = ""
    read_log: Callable[[str], CliError | None] = _no_failure

    @contextmanager
    def showing(self, text: str, images: Sequence[Image]) -> Iterator[tuple[str, list[CliOption]]]:
        """What is written to the tool, and the options for that, as long as the images are shown to it."""
        with image_files(images) as files:
            yield (text, []) if self.show is None or not files else self.show(text, images, files)

    @property
    def is_plain(self) -> bool:
        """Whether its output is its answer."""
        return self.converse is None and self.read is read_plain

    @property
    def takes_model(self) -> bool:
        """Whether it can be told the model without a place for one in its arguments."""
        return self.model is not None or self.converse is not None

    def words(self, done: Completed) -> str:
        """All that it printed for a person to read: messages are for programs."""
        return done.stderr if self.converse else f"{done.stdout}\n{done.stderr}"

    def answer_options(self, own: Options, prompt: Prompt, access: Access) -> Options:
        """The options of one answer: the backend's ``own``, and those of the step, which win.

        A tool that has a limit of money gets what is left of the run's. In the mode "none" it is offered no
        tool of its own, whatever it says.
        """
        options = {**own, **prompt.options}
        if "max_usd" in self.takes and prompt.usd_left < math.inf:
            own_limit = options.get("max_usd")
            is_less = isinstance(own_limit, int | float) and own_limit < prompt.usd_left
            options["max_usd"] = own_limit if is_less else prompt.usd_left
        return {name: value for name, value in options.items() if access == "read" or name != "tools"}

    def options_for(
        self, access: Access, env: Mapping[str, str], options: Options = MappingProxyType({})
    ) -> Sequence[CliOption]:
        """The options that lok gives the tool in this mode; ``env`` is its environment."""
        usual = (*self.options, *self.more_options(env), *self.access.get(access, ()))
        asked = [option for name, value in options.items() for option in self.takes[name](value)]
        replaced = {(option.names, option.key) for option in asked}
        return [*(option for option in usual if (option.names, option.key) not in replaced), *asked]

    def arguments(
        self, words: Sequence[str], options: Sequence[CliOption], fill: Callable[[str], str] = str
    ) -> list[str]:
        """Everything after the program: the user's ``words``, filled in, and ``options`` not in them."""
        theirs, ours = list(words), list[str]()
        if self.subcommand in theirs:
            theirs.remove(self.subcommand)
        for option in options:
            found = option.find(theirs)
            if found is not None and option.fixed:
                del theirs[found]
                found = None
            if found is None:
                ours += option.words()
        subcommand = [self.subcommand] if self.subcommand else []
        filled = [fill(word) for word in theirs]
        # the prompt may stand behind a "--", where no option is read any more
        if any("{prompt}" in word for word in theirs):
            return [*subcommand, *ours, *filled]
        return [*subcommand, *filled, *ours, *(word for word in self.trailing if word not in theirs)]

    def session_file(self, env: Mapping[str, str]) -> str:
        """The first of ``session_files`` that is there, as it is written; "" where none is."""
        for written in self.session_files:
            start, _, rest = written.partition("/")
            folder = env.get("HOME" if start == "~" else start.removeprefix("$"), "")
            if folder and (Path(folder) / rest).is_file():
                return written
        return ""


ANY = CliDialect(env={"NO_COLOR": "1"})
"""A tool nothing is known about: prompt on stdin, answer on stdout."""
