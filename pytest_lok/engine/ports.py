"""The protocols through which the engine meets the world, and ``World``, which holds one of each.

Nothing in ``engine/`` opens a file, starts a process or connects to a server in another way. ``wiring/``
implements the protocols for real, tests as fakes. Three rules hold for all of them: times are seconds, paths
are relative to the workspace unless said otherwise, and who is cancelled has left nothing behind afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pytest_lok.core.findings.prior import NOTHING_REVIEWED, PriorReview
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.limits import Limits as Limits
from pytest_lok.engine.limits import RunLock as RunLock
from pytest_lok.engine.remote.ports import TravellingFiles

if TYPE_CHECKING:
    from pytest_lok.core.asking.images import Image
    from pytest_lok.core.asking.pricing import Price
    from pytest_lok.core.asking.tools import Tool
    from pytest_lok.core.edits.edits import FileChange
    from pytest_lok.core.events import Event
    from pytest_lok.core.findings.reported import ReportedReview
    from pytest_lok.core.remote import Artifact, RemoteRun
    from pytest_lok.core.results import Json, Reply
    from pytest_lok.core.resume.inputs import BackendIdentity
    from pytest_lok.engine.asking.concurrency import ConcurrencyLimiter
    from pytest_lok.engine.people.approver import Approver
    from pytest_lok.engine.remote.ports import ArtifactStore, FleetConnection
    from pytest_lok.errors import BackendError


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question to one backend.

    ``model`` "" = the backend's own choice. ``schema`` is a JSON Schema that the answer should satisfy; a
    backend may hand it on or ignore it, for the engine checks the answer. A backend that gets its answer in
    pieces may call ``on_text`` with each, for who waits for it. ``timeout`` is the time left in seconds,
    ``math.inf`` = no limit; the engine enforces it, and a backend may tell its server. ``sample`` numbers
    answers to one question that must not come out of one cache entry. ``workflow`` (the stem of its file) and
    ``step`` say who asks. A backend that CallsTools gets ``tools``, and their schema as ``schema``; one that
    TakesImages gets ``images``. ``options`` are those that the step has for the backend, and win over the
    backend's own. ``usd_left`` is what the run may still spend.
    """

    text: str
    system: str = ""
    model: str = ""
    schema: Mapping[str, Json] | None = None
    timeout: float = 300.0
    sample: int = 0
    workflow: str = ""
    step: str = ""
    on_text: Callable[[str], None] | None = field(default=None, compare=False, repr=False)
    tools: tuple[Tool, ...] = ()
    options: Mapping[str, Json] = field(default_factory=dict)
    usd_left: float = field(default=math.inf, compare=False)
    images: tuple[Image, ...] = ()


class Backend(Protocol):
    """Anything that answers prompts. One instance serves many concurrent ``ask`` calls on one event loop.

    Do not call ``ask`` directly: ``engine/asking/checked_call`` adds the time limit, the check for empty
    answers, and CRASHED for exceptions that nobody expected::

        class Parrot:
            name = "parrot"

            def unavailable(self) -> BackendError | None:
                return None

            async def ask(self, prompt: Prompt) -> Reply:
                return Reply(text=prompt.text, backend=self.name)

            async def aclose(self) -> None:
                pass
    """

    @property
    def name(self) -> str:
        """What workflows call the backend; never changes."""
        ...

    def unavailable(self) -> BackendError | None:
        """Why the backend cannot answer at all, with a hint; None if it can.

        Called before every question, so it looks for a program or a key, and never uses the network.
        """
        ...

    async def ask(self, prompt: Prompt) -> Reply:
        """The whole answer. BackendError says by its ``kind`` why there is none.

        An answer that is cut, filtered or refused is an error. What the server does not count stays None.
        """
        ...

    async def aclose(self) -> None:
        """Release clients and processes. Called once, on the loop that asked."""
        ...


@runtime_checkable
class RemembersAnswers(Protocol):
    """A backend that may know an answer without asking. It waits for no slot then and spends nothing."""

    async def recall(self, prompt: Prompt) -> Reply | None:
        """The known answer; None if ``ask`` may be called; BackendError if it must not be."""
        ...


@runtime_checkable
class HasServer(Protocol):
    """A backend whose server may be there or not, which only a look at the server tells."""

    def unreachable(self) -> BackendError | None:
        """Why the server cannot be asked now; None if it can.

        The server is looked at once, for a second at most. Called where a backend is chosen, and never
        before a question to one that is named: that question tells by itself, and may be retried.
        """
        ...

    def usual_model(self) -> str:
        """The model that is asked where a step names none; "" where that is not known."""
        ...


@runtime_checkable
class HasApiKeyVariable(Protocol):
    """A backend that may read an API key from an environment variable; `lok doctor` names it."""

    def key_variable(self) -> str | None:
        """The variable that holds the key. "" = none, so the user must be signed in; None = no key needed."""
        ...


@runtime_checkable
class HasVersion(Protocol):
    """A backend that is a program of this machine and can print its version without asking a model."""

    async def version(self, *, limit: float) -> str:
        """The version as the program prints it; "" where there is no way to ask.

        BackendError where the program fails, or says nothing within ``limit`` seconds.
        """
        ...

    def session_file(self) -> str:
        """The file that says that the user is signed in; "" = none is seen, and nobody knows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """A command of a workflow. ``argv`` is run without a shell; a shell text is ``("sh", "-c", text)``.

    ``env`` is added to the environment that the runner gives every command. ``cwd`` is relative to the
    workspace and lies inside of it; "" = the workspace itself. ``stdin`` is all that the command can read.
    ``remote`` None = it runs here.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    stdin: bytes = b""
    remote: RemoteRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A process that ended by itself, or was ended after it had printed its last word.

    ``exit_code`` is negative for a signal. ``stdout`` and ``stderr`` are decoded. The runner keeps each up
    to a limit; ``cut`` (of stdout) or ``stderr_cut`` says that a line in the middle stands for the rest.
    ``unread`` counts the bytes of stdin that the process did not read, where ProcessSpec asks to know.
    ``artifacts`` came back from another place, by their path in the workspace.
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    cut: bool = False
    stderr_cut: bool = False
    unread: int = 0
    artifacts: Mapping[str, Artifact] = field(default_factory=dict, repr=False)


class CommandRunner(Protocol):
    """Runs the commands of steps. Cancelling ``run`` ends the whole process group before it returns."""

    async def run(self, command: CommandSpec) -> Completed:
        """Run a command to its end, whatever its exit code; StepUnableError if it cannot be started.

        One with a ``remote`` runs elsewhere, and TimeoutError comes after the limit that stands there.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process of a backend, described in full: nothing is inherited.

    ``env`` is the whole environment, ``cwd`` an absolute directory, ``idle`` the longest silence in seconds.
    ``spool``: stdout and stderr are files, for some programs lose at their exit what a pipe has not taken.
    ``report_unread`` makes ``Completed.unread`` known. ``is_finished`` gets the output so far; True ends the
    process. ``reply`` gets each piece of stdout and gives what stdin gets then; None ends the process.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    stdin: bytes = b""
    reply: Callable[[bytes], bytes | None] | None = None
    spool: bool = False
    report_unread: bool = False
    idle: float = math.inf
    is_finished: Callable[[str], bool] | None = None


class ProcessRunner(Protocol):
    """Runs one process of a backend. Cancelling ends it and all that it started before it returns."""

    async def __call__(self, spec: ProcessSpec, /) -> Completed:
        """What the process printed and how it ended.

        StepUnableError if it cannot be started; TimeoutError after a silence of ``spec.idle`` seconds.
        """
        ...


class Transaction(Protocol):
    """One step's edits: read files, write all changes, then ``commit``; leaving without it restores."""

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None if there is no such file; ValueError says why the file cannot be edited."""
        ...

    def write(self, changes: Sequence[FileChange]) -> None:
        """Write all changes at once, each file atomically; StepUnableError if the system refuses one."""
        ...

    def commit(self) -> None:
        """Make the written files final: leaving the transaction restores nothing any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersions:
    """One file on both sides of a change. None as a side = the file does not exist there.

    ``before`` is the file where the change began, ``after`` as it is judged now. ``unknown`` says why the
    two are not compared, and then neither counts. ``mode_changed``: who may execute it changed.
    """

    path: str
    before: bytes | None = None
    after: bytes | None = None
    unknown: str = ""
    mode_changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed in a work tree since its base, also what is not committed yet.

    ``base`` names the base for people, and ``commit`` is where the change left it. ``files`` has each path
    that was asked for. ``same``: the base itself is judged, so nothing lies outside.
    """

    base: str
    commit: str = ""
    files: Mapping[str, FileVersions] = field(default_factory=dict)
    same: bool = False


class Workspace(TravellingFiles, Protocol):
    """The directory that a run works on. A ``path`` is relative, in its plain form, and follows no link."""

    def run_lock(self, *, alone: bool) -> RunLock:
        """The lock of one run, not acquired yet; ``alone`` keeps every other run out, across processes."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Wait for the workspace's lock (one transaction at a time, across processes), then begin.

        Leaving without ``commit`` restores every file byte for byte, whatever the reason for leaving. Do not
        hold a transaction while a backend thinks: every other step with edits waits for it.
        """
        ...

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None if there is no such file; ValueError says why it may not be read."""
        ...

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        """Both sides of these files; StepUnableError without a repository or a base."""
        ...

    async def file_names(self) -> frozenset[str]:
        """The paths of every file of the base, else of the tree but for what git ignores; errors as above."""
        ...

    async def tree_names(self) -> frozenset[str]:
        """The paths of the files that are there, but for ignored ones, and without git for hidden ones."""
        ...

    async def commits(self) -> tuple[str, str]:
        """The commit where the change left its base, and that of HEAD; "" for each that there is none of."""
        ...

    async def text_at_base(self, path: str) -> str | None:
        """A file's text at the base; None if there is no such file; StepUnableError as above."""
        ...

    @property
    def root(self) -> str:
        """The absolute path of the directory."""
        ...

    def project(self) -> Mapping[str, Json]:
        """What texts read as ``project``: ``language``, ``root`` and ``tools``."""
        ...

    def checkpoint(self, message: str) -> CommandSpec | None:
        """The command that notes the state before edits in git-agent's history; None = it keeps none."""
        ...

    def verify_command(self, preset: str) -> str:
        """The shell text that ``verify = "true"`` or a language stands for; StepUnableError without one."""
        ...


def utc_date() -> date:
    """The day that it is now, in UTC."""
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside of the engine that a run uses. Runs may share a world; nobody changes one."""

    backends: Mapping[str, Backend]
    """Every configured backend by its name, in the order of preference; disabled ones are ``unavailable``."""
    shell: CommandRunner
    """Runs the commands of shell steps, ``verify`` and checkpoints."""
    workspace: Workspace
    """The directory that the run works on."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What ``{{ env.X }}`` reads. Commands get their environment from ``shell``."""
    limits: Limits = Limits()
    """How much runs at once and for how long, where a workflow does not say."""
    default_backends: tuple[str, ...] = ()
    """Whom a step asks that names nobody; () = the user and the settings name nobody either."""
    weights: Mapping[str, float] = field(default_factory=dict)
    strengths: Mapping[str, Sequence[str]] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    timeouts: Mapping[str, float] = field(default_factory=dict)
    """By backend: weights in votes, what it is good at; options and limits, which those of a step beat."""
    command_wrapper: str = ""
    """A shell text around every shell and verify command; "" = none."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """The user's prices by a pattern of model names, for backends that do not report a cost."""
    redactor: Redactor = field(default_factory=Redactor)
    """Masks secrets in every event, and so in everything that is shown or stored."""
    kill: Callable[[], None] = lambda: None
    """Ends every process at once, for whoever cannot wait until a run is stopped; nothing by default."""
    only_by_name: Mapping[str, str] = field(default_factory=dict)
    """Backends that are asked only where they are named, each with why; "auto" never takes one of them."""
    remedy: str = ""
    """What to do where nobody can answer; "" = what the backends lack says it."""
    limiters: Mapping[str, ConcurrencyLimiter] = field(default_factory=dict)
    """How many questions a backend gets at once. Waiting for a slot is no part of an answer's time."""
    today: Callable[[], date] = utc_date
    prior: PriorReview = NOTHING_REVIEWED
    """``today`` is when acceptances of the baseline end, ``prior`` what was reviewed of the change before."""
    command_env: Mapping[str, str] | None = None
    """The environment of commands, before their own variables; None = ``env``."""
    tree_state: Callable[[], Awaitable[str]] | None = None
    identity: Callable[[str], BackendIdentity | None] = lambda _: None
    """A digest of what git does not ignore, and what a backend's answers depend on; "" or None = unknown."""
    observer: Callable[[], Callable[[Event], None]] | None = None
    """Makes what hears every event of one run, secrets masked; None = nobody does."""
    on_review: Callable[[ReportedReview], None] | None = None
    """Gets what each review reported, by backend, secrets masked, as its gate decides; None = nobody does."""
    fleet: FleetConnection | None = None
    artifacts: ArtifactStore | None = None
    """``fleet`` is what ``shell`` reaches, None = none; ``artifacts`` keeps what steps make."""
    dry_run: bool = False  # edits are shown and not made, and steps that need such a step are not run
    approver: Approver | None = None  # None = nobody is there to be asked what a step waits for
