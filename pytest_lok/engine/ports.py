"""What the engine needs of the world, as protocols; ``World`` holds one of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from pytest_lok.core.asking.pricing import Price
from pytest_lok.core.edits.edits import FileChange
from pytest_lok.core.results import Json, Reply
from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.engine.asking.concurrency import ConcurrencyLimiter
from pytest_lok.errors import BackendError


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question. ``model`` "" = the backend's own; ``schema`` is a JSON Schema the answer must satisfy.

    ``timeout`` is the time left for the answer in seconds (``math.inf`` = no limit). The engine
    enforces it too; a backend may use it to tell its server or child. ``sample`` numbers independent
    answers to the same question, which must not come out of one cache entry. ``workflow`` (its stem)
    and ``step`` say who asks.
    """

    text: str
    system: str = ""
    model: str = ""
    schema: Mapping[str, Json] | None = None
    timeout: float = 300.0
    sample: int = 0
    workflow: str = ""
    step: str = ""


class Backend(Protocol):
    """Anything that answers prompts. One instance serves many concurrent ``ask`` calls on one loop."""

    @property
    def name(self) -> str:
        """What workflows call it."""
        ...

    def unavailable(self) -> BackendError | None:
        """Why it cannot answer at all (cheap: is it installed, has it a key), or None. No network."""
        ...

    async def ask(self, prompt: Prompt) -> Reply:
        """A whole, non-empty answer, or BackendError. Cancelling leaves no child and no socket."""
        ...

    async def aclose(self) -> None:
        """Release what it holds (clients, processes); called once, on the loop that used it."""
        ...


@runtime_checkable
class RemembersAnswers(Protocol):
    """A backend that may know an answer without asking: that waits for no place and spends nothing."""

    async def recall(self, prompt: Prompt) -> Reply | None:
        """The answer that is known, None if it has to be asked for; BackendError if it must not be."""
        ...


@runtime_checkable
class HasApiKeyVariable(Protocol):
    """A backend that has its key, if it has one, from a variable."""

    def key_variable(self) -> str | None:
        """The variable it is in: "" = in none, so it must be signed in; None = it needs no key we know of."""
        ...


@runtime_checkable
class HasVersion(Protocol):
    """A backend that is a program of this machine, and can tell of it without asking a model."""

    async def version(self, *, limit: float) -> str:
        """What the program calls its version, "" where there is no way to ask.

        BackendError where it does not say ``limit`` seconds.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """A process to run. ``env`` is added to the base environment; ``cwd`` lies inside the workspace."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    stdin: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A process that ended by itself. ``exit_code`` is negative for a signal; text is decoded, bounded.

    ``cut``: stdout was longer, and a line in its middle stands for what is not there; ``stderr_cut`` says
    the same of stderr. ``unread``: bytes of a counted stdin that nobody took. It ended well, too, if it had
    said all and was ended for not going.
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    cut: bool = False
    stderr_cut: bool = False
    unread: int = 0


class CommandRunner(Protocol):
    """Runs commands. Cancelling a run ends the whole process group before it returns."""

    async def run(self, command: CommandSpec) -> Completed:
        """Run to its end; StepUnableError if it cannot be started."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process, said in full: ``env`` is its whole environment, ``cwd`` an absolute directory.

    ``spool`` gives it files instead of pipes for stdout and stderr: some programs lose what a pipe
    has not taken when they exit. ``idle`` is the longest silence in seconds that is waited for.
    ``report_unread`` gives it a pipe instead of a file for stdin, so that what it does not read is known.
    ``is_finished`` tells by its output so far whether it has said its last word: then it need not exit.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    stdin: bytes = b""
    spool: bool = False
    report_unread: bool = False
    idle: float = math.inf
    is_finished: Callable[[str], bool] | None = None


class ProcessRunner(Protocol):
    """Runs one process to its end; cancelling ends it and all it started before it returns."""

    async def __call__(self, spec: ProcessSpec, /) -> Completed:
        """What it printed and how it ended; StepUnableError if it cannot be started.

        TimeoutError after a silence that was too long.
        """
        ...


class Transaction(Protocol):
    """One step's edits: read, write all, then keep or (by leaving without ``commit``) restore."""

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None if there is none; ValueError with the reason why it cannot be edited."""
        ...

    def write(self, changes: Sequence[FileChange]) -> None:
        """Write every change, each file atomically; StepUnableError if the system does not let it."""
        ...

    def commit(self) -> None:
        """Make what was written final."""
        ...


class RunLock(Protocol):
    """A lock of a workspace, for one run: shared with other runs, or held alone."""

    def try_acquire(self) -> bool:
        """Take the lock; False if another run is in the way. Never waits.

        StepUnableError if that cannot be known.
        """
        ...

    def release(self) -> None:
        """Let go of the lock. Idempotent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersions:
    """One file on both sides of a change; None = it is not there.

    ``before`` is where the change began, ``after`` as it is judged now. ``unknown`` says why the two cannot
    be compared ("" = they can): then neither counts. ``mode_changed`` is about who may execute it.
    """

    path: str
    before: bytes | None = None
    after: bytes | None = None
    unknown: str = ""
    mode_changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed in a tree since it left its base, also what is not committed yet.

    ``base`` says what it is compared with, for people. ``files`` has each path that was asked for.
    ``same``: the base is what is judged, so that nothing can be called outside of the change.
    """

    base: str
    files: Mapping[str, FileVersions] = field(default_factory=dict)
    same: bool = False


class Workspace(Protocol):
    """The tree a run works on."""

    def run_lock(self, *, alone: bool) -> RunLock:
        """The lock of one run, not taken yet; ``alone`` keeps every other run out, across processes."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Wait for the workspace's lock (one transaction at a time, across processes), then begin.

        Leaving without ``commit`` restores every file byte for byte, whatever the reason for leaving.
        """
        ...

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None if there is no such file; ValueError with the reason why it may not be read.

        ``path`` is relative, in its plain form, and reached through no link.
        """
        ...

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        """Both sides of these files; StepUnableError says why that cannot be known."""
        ...

    async def file_names(self) -> frozenset[str]:
        """Every file of the base, if there is one, or of the tree but for those that git ignores.

        StepUnableError where this is no repository.
        """
        ...

    async def text_at_base(self, path: str) -> str | None:
        """A file's text as the base has it, None if it has none; StepUnableError as above."""
        ...

    @property
    def root(self) -> str:
        """Absolute path."""
        ...

    def project(self) -> Mapping[str, Json]:
        """What was detected: ``language``, ``root``, ``tools``."""
        ...

    def checkpoint(self, message: str) -> CommandSpec | None:
        """What tells an agent's own history of the state before edits; None = nobody keeps one here."""
        ...

    def verify_command(self, preset: str) -> str:
        """The command behind ``verify = "true"`` or a language; StepUnableError if nothing is detected."""
        ...


def _nothing() -> None:
    """Where there are no processes there is nothing to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much runs at once, and for how long, where a workflow does not say (seconds).

    All runs of a process together keep to ``max_parallel``. Where it is not ``is_explicit``, which is to say
    that nobody has set it, a workflow or a step may say more, for itself.
    """

    max_parallel: int = 8
    timeout: float = 300.0
    is_explicit: bool = False

    def parallel_for(self, wanted: int | None) -> int:
        """How many run at once of what says ``wanted``, by itself."""
        if wanted is None:
            return self.max_parallel
        return min(wanted, self.max_parallel) if self.is_explicit else wanted

    def total_for(self, wanted: int | None) -> int:
        """How many may run at once beside and with what says ``wanted``."""
        return max(self.parallel_for(wanted), self.max_parallel)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside the engine.

    ``backends`` holds every configured name, also disabled ones (their ``unavailable`` says so), in
    the order of preference; ``default_backends`` is what a step that names none asks ("auto" = the
    router's choice, by their ``strengths``, the first of which counts the most). ``env`` is what
    ``{{ env.X }}`` reads. ``timeouts`` holds the backends' own, in
    seconds. ``command_wrapper`` is the settings' wrapper around shell and verify commands, "" = none.
    ``prices`` are the user's, which turn tokens into money where a backend does not say.
    ``redactor`` masks secrets in every event, and so in everything that is shown or stored. ``kill``
    ends every process at once, for whoever cannot wait for a run to be stopped. ``limiters`` limit how
    many questions a backend gets at once; waiting for one is no part of an answer's time. In a
    ``dry_run`` edits are shown and not made, and steps that need such a step are not run.
    """

    backends: Mapping[str, Backend]
    shell: CommandRunner
    workspace: Workspace
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    default_backends: tuple[str, ...] = ("auto",)
    weights: Mapping[str, float] = field(default_factory=dict)
    strengths: Mapping[str, Sequence[str]] = field(default_factory=dict)
    timeouts: Mapping[str, float] = field(default_factory=dict)
    command_wrapper: str = ""
    prices: Mapping[str, Price] = field(default_factory=dict)
    redactor: Redactor = field(default_factory=Redactor)
    kill: Callable[[], None] = _nothing
    limiters: Mapping[str, ConcurrencyLimiter] = field(default_factory=dict)
    dry_run: bool = False
