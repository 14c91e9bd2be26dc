"""RunResult -> what every report says of a run: its verdict, what could not be done, its findings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

from pytest_lok.core.events import BackendAsked
from pytest_lok.core.findings.configuration import RULES
from pytest_lok.core.results import Finding, Outcome, RunResult, Severity, StepResult
from pytest_lok.core.workflow.model import Gate, Rule, Step, Workflow
from pytest_lok.dataclass import dataclass
from pytest_lok.reports.console import nothing_judged
from pytest_lok.reports.facts import coverage
from pytest_lok.reports.formats.run_command import run_command
from pytest_lok.reports.untrusted import escape_untrusted

RunVerdict: TypeAlias = Literal["passed", "failed", "inconclusive", "soft", "skipped", "nothing judged"]
TroubleKind: TypeAlias = Literal["interrupted", "error", "blocked", "not-run", "failed", "soft", "skipped"]

ASIDE: Mapping[str, str] = {
    "withdrawn": "its backend withdrew it",
    "unverified": "its quote is not where it should be",
    "outside": "it is not in the change",
    "known": "it is in the baseline",
    "unsure": "its confidence is below the gate's",
    "outvoted": "too few backends report it",
}
"""Why a gate does not count a finding, by the finding's standing."""

_SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
_READ = 200_000  # characters of a text that are looked at: masking and escaping take their time


def bounded(text: str, limit: int) -> str:
    """At most ``limit`` characters of a text that others wrote, which no reader obeys; "…" ends a cut one."""
    said = escape_untrusted(text[:_READ]).strip()
    return said if len(said) <= limit and len(text) <= _READ else f"{said[: limit - 1]}…"


def bounded_line(text: str, limit: int) -> str:
    """The same on one line."""
    return bounded(" ".join(text[:_READ].split()), limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One reason why a run is not green, or not as green as it looks.

    ``step`` is "" where the whole run is meant. ``path`` and ``line`` say where the step is written.
    """

    kind: TroubleKind
    text: str
    step: str = ""
    path: str = ""
    line: int = 1

    @property
    def let_go(self) -> bool:
        """Whether the workflow says that this may be: a soft step, or a run whose every step was skipped."""
        return self.kind in ("soft", "skipped")

    @property
    def fingerprint(self) -> str:
        """The same for the same kind of trouble of the same step, in every run."""
        return _digest("lokTrouble/v1", self.path, self.step, self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedFinding:
    """A finding and the step that reports it; ``blocks``: because of it the run has failed."""

    step: str
    finding: Finding
    blocks: bool

    @property
    def fingerprint(self) -> str:
        """The same for the same problem in every run; never empty."""
        finding = self.finding
        return bounded_line(finding.fingerprint, 200) or _digest(
            "lokFinding/v1", finding.rule_id, finding.path, finding.evidence
        )

    @property
    def aside(self) -> str:
        """Why the gate does not count the finding, "" where it does, or is not asked."""
        text, note = ASIDE.get(self.finding.standing, ""), self.finding.acceptance
        return f"{text}, {bounded_line(note, 600)}" if note and self.finding.standing == "known" else text


def _own_rules(result: RunResult) -> Mapping[str, Rule]:
    """The rules of lok's own findings, where there are any."""
    names = {it.rule_id for step in result.steps.values() for it in step.findings or ()}
    return {name: rule for name, rule in RULES.items() if name in names}


def _nothing_asked(_step: str) -> Sequence[BackendAsked]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """A run, and what a report needs beside the result.

    ``exit_code`` is that of the process: a run that passed in a process that did not is not green. ``steps``
    are the workflow's by name. ``allow_skip``: a run whose every step skipped itself is as good as a passed
    one. ``asked`` gives the prompts that a step has sent. ``gate`` is the workflow's, if it has one, and
    ``command`` the command that runs it again. ``repository`` is the line of an --each file that the run was
    in, "" = it was in the project.
    """

    result: RunResult
    exit_code: int
    steps: Mapping[str, Step] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    allow_skip: bool = False
    asked: Callable[[str], Sequence[BackendAsked]] = _nothing_asked
    gate: Gate | None = None
    command: str = ""
    repository: str = ""

    @classmethod
    def of(
        cls,
        result: RunResult,
        workflow: Workflow | None,
        exit_code: int,
        asked: Callable[[str], Sequence[BackendAsked]] = _nothing_asked,
        arguments: Mapping[str, str] = MappingProxyType({}),
    ) -> ReportedRun:
        """A run of a workflow with these arguments, as in its plan; None = it is not known any more."""
        steps = {step.name: step for step in workflow.steps} if workflow else {}
        known = [*workflow.inner(), workflow] if workflow else []
        rules = {**{name: it for each in known for name, it in each.rules.items()}, **_own_rules(result)}
        return cls(
            result=result,
            exit_code=exit_code,
            steps=steps,
            rules=rules,
            allow_skip=workflow is not None and workflow.allow_skip,
            asked=asked,
            gate=workflow.gate if workflow else None,
            command=run_command(workflow, arguments) if workflow else "",
        )

    def in_folder(self, folder: str) -> ReportedRun:
        """The run as seen from the repository in whose ``folder`` the project lies; "" = they are one."""

        def moved(path: str) -> str:
            inside = relative(path)
            return f"{folder}/{inside}" if inside else path

        def step_of(step: StepResult) -> StepResult:
            found = [replace(it, path=moved(it.path)) for it in step.findings or ()]
            return replace(step, findings=tuple(found)) if found else step

        if not folder:
            return self
        result = replace(
            self.result,
            path=moved(self.result.path),
            steps={name: step_of(step) for name, step in self.result.steps.items()},
        )
        steps = {name: replace(step, path=moved(step.path)) for name, step in self.steps.items()}
        return replace(self, result=result, steps=steps)

    @property
    def verdict(self) -> RunVerdict:
        """The verdict in one word; "passed" alone is a yes."""
        if self.result.outcome is Outcome.FAILED:
            return "failed"
        if self.result.outcome is Outcome.ERROR or self.exit_code or self._missing:
            return "inconclusive"
        if self.result.outcome is Outcome.PASSED:
            return "passed"
        if self.result.outcome is Outcome.SOFT:
            return "soft"
        allowed = self.allow_skip and self.result.idle and self.result.steps
        return "skipped" if allowed else "nothing judged"

    @property
    def headline(self) -> str:
        """The verdict and what it means, on one line."""
        result = self.result
        means = {
            "passed": "every step that counts did its work, and every check held",
            "failed": "a step did its work and judged: no",
            "inconclusive": "people have not answered yet (`lok approve`), so there is no yes"
            if result.only_waits
            else "not everything could be judged, so there is no yes",
            "soft": "every step that ran failed or broke, and may do so (continue_on_error)",
            "skipped": "every step was skipped by its own `when`, as the workflow allows (allow_skip)",
            "nothing judged": nothing_judged(result) if result.idle else "nothing was judged: no step ran",
        }
        said = f"{self.verdict}: {means[self.verdict]}"
        return bounded_line(f"{said} ({result.interrupted})" if result.interrupted else said, 400)

    @property
    def complete(self) -> bool:
        """Whether everything that was to be judged was judged, with whatever outcome."""
        return self.verdict in ("passed", "failed", "skipped") and not any(
            trouble.kind in ("interrupted", "error", "blocked", "not-run") for trouble in self.troubles
        )

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """Why the run is not green, and what was let go as soft; what did not run stands first."""
        found = [*self._of_run(), *self._of_steps()]
        order: Sequence[TroubleKind] = (
            "interrupted",
            "error",
            "not-run",
            "blocked",
            "failed",
            "soft",
            "skipped",
        )
        return tuple(sorted(found, key=lambda trouble: order.index(trouble.kind)))

    @property
    def without_findings(self) -> tuple[Trouble, ...]:
        """The troubles that no finding points at: of a step that failed for its findings those say so."""
        told = {
            step.name
            for step in self.result.steps.values()
            if step.outcome is Outcome.FAILED and any(it.blocking for it in step.findings or ())
        }
        return tuple(it for it in self.troubles if it.kind != "failed" or it.step not in told)

    @property
    def findings(self) -> tuple[ReportedFinding, ...]:
        """Every finding once: those that block first, then those that count, then those set aside."""
        chosen: dict[object, ReportedFinding] = {}
        for step in self.result.steps.values():
            for finding in step.findings or ():
                # several steps may hand on one finding; the strictest word about it counts
                own = finding.fingerprint, finding.rule_id, finding.path, finding.line, finding.title
                entry = ReportedFinding(
                    step=step.name,
                    finding=finding,
                    blocks=finding.blocking and step.outcome is Outcome.FAILED,
                )
                chosen[own] = min(chosen.get(own, entry), entry, key=_weight)
        return tuple(sorted(chosen.values(), key=_weight))

    @property
    def name(self) -> str:
        """The workflow's name in characters that mean nothing to any reader."""
        return "".join(char if char.isalnum() or char in "._-" else "-" for char in self.result.workflow)[
            :100
        ]

    @property
    def title(self) -> str:
        """The workflow's name, and the repository where there are several."""
        return f"{self.name}: {bounded(self.repository, 4_000)}" if self.repository else self.name

    @property
    def path(self) -> str:
        """Where the workflow is written, relative to the project; ``lok/NAME`` for one outside of it."""
        path = self.result.path
        return relative(path) or f"lok/{self.name}"

    def place(self, step: str) -> tuple[str, int]:
        """The file and the line in which a step is written."""
        known = self.steps.get(step)
        return (relative(known.path) or self.path, known.line) if known else (self.path, 1)

    @property
    def _missing(self) -> list[str]:
        return [name for name in self.result.selected if name not in self.result.steps]

    def _of_run(self) -> Iterator[Trouble]:
        result = self.result
        if result.interrupted:
            yield self._trouble("interrupted", f"the run was cut short: {result.interrupted}")
        if self.verdict == "nothing judged":
            yield self._trouble("not-run", self.headline)
        if self.verdict == "skipped":
            yield self._trouble("skipped", self.headline)
        unexplained = self.exit_code and not result.interrupted and result.outcome is not Outcome.FAILED
        if unexplained and not any(step.outcome.red or step.withheld for step in result.steps.values()):
            text = f"the process ended with exit code {self.exit_code}, so this run is no yes"
            yield self._trouble("error", text)

    def _of_steps(self) -> Iterator[Trouble]:
        for name in self._missing:
            yield self._trouble("not-run", f"step {name} has no result: nobody knows what came of it", name)
        for step in self.result.steps.values():
            kind = _kind(step)
            if kind is not None:
                said = [f"step {step.name}: {step.outcome}: {step.reason or 'no reason was given'}"]
                said += [f"answered: {coverage(step)}"] if coverage(step) else []
                said += [f"hint: {step.hint}"] if step.hint else []
                yield self._trouble(kind, "\n".join(said), step.name)
            # its findings tell why it failed, and nothing of what nobody answered
            if kind == "failed" and coverage(step):
                cut = f"step {step.name} was cut: answered: {coverage(step)}"
                yield self._trouble("error", cut, step.name)

    def _trouble(self, kind: TroubleKind, text: str, step: str = "") -> Trouble:
        path, line = self.place(step)
        return Trouble(kind=kind, text=text, step=step, path=path, line=line)


def relative(path: str) -> str:
    """A path inside the project in POSIX spelling, "" for one that may lie elsewhere."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    inside = path[:1] not in ("/", "\\") and path[1:2] != ":" and ".." not in parts
    return bounded_line("/".join(parts), 1_000) if inside else ""


def _kind(step: StepResult) -> TroubleKind | None:
    match step.outcome:
        case Outcome.FAILED:
            return "failed"
        case Outcome.ERROR:
            return "error"
        case Outcome.SOFT:
            return "soft"
        case Outcome.SKIPPED if step.blocked:
            return "blocked"
    return None


def _weight(entry: ReportedFinding) -> tuple[object, ...]:
    finding = entry.finding
    return (
        not entry.blocks,
        bool(entry.aside),
        _SEVERITIES.index(finding.severity),
        finding.path,
        finding.line,
    )


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "backslashreplace")).hexdigest()[:32]
