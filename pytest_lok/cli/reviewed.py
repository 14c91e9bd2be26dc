"""The options about earlier reviews -> what a run knows of one, and the state that it leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import LokError, PlanError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.findings.prior import PriorReview
    from pytest_lok.core.results import RunResult
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import World
    from pytest_lok.wiring import Project
    from pytest_lok.wiring.reviewed import ReviewOfChange


# it goes from one run to the next, so it is no value
@dataclass(slots=True, kw_only=True)
class RunReview:
    """What a run of lok asks about. Without ``review`` the gate knows nothing of earlier ones."""

    call: Invocation
    project: Project
    review: ReviewOfChange | None = None
    prior: PriorReview | None = None

    def world(self) -> World:
        """The world of the run, which knows what was reviewed."""
        made = replace(self.project.world(), dry_run=self.call.options.dry_run)
        return replace(made, prior=self.prior) if self.prior else made

    def executed(self, run: Callable[[World], tuple[RunResult, int]], world: World) -> tuple[RunResult, int]:
        """What the run comes to, with the state for the next one kept.

        It runs once more with the whole change where a part of it was not enough.
        """
        done = run(world)
        if self.prior is not None:
            from pytest_lok.core.findings.prior import PriorReview
            from pytest_lok.wiring.reviewed import why_not_enough

            if why := why_not_enough(done[0], self.prior):
                if not self.call.json:
                    self.call.terminal.note(f"the whole change is asked about: {why}")
                self.prior = PriorReview(why=why)
                done = run(self.world())
        self._keep(done[0])
        return done

    def _keep(self, result: RunResult) -> None:
        """Write the state for the next run; where the review was not whole, the old one stays."""
        file = self.call.options.reviewed
        if self.review is None or file is None:
            return
        from pytest_lok.files import write_output

        try:
            text = self.review.sealed_state(result)
        except ValueError as why:
            if not self.call.json:
                self.call.terminal.note(f"{file} stays as it is: {why}")
            return
        write_output(file, f"{text}\n")


def prior_review(call: Invocation, project: Project, plan: Plan) -> RunReview:
    """What the run of a plan asks about; PlanError where the options mean nothing for its gate."""
    options, gate = call.options, plan.workflow.gate
    if gate is None or gate.since == "base":
        if options.reviewed or options.reviewed_from:
            raise PlanError(
                f"the gate of {plan.workflow.stem!r} asks about the whole change",
                hint='since = "reviewed" under [gate] makes it know of earlier reviews',
            )
        return RunReview(call=call, project=project)
    from pytest_lok.wiring.reviewed import ReviewOfChange

    review = ReviewOfChange.of(project, plan)
    text, source = _state(call, project, plan)
    return RunReview(call=call, project=project, review=review, prior=review.prior(text, source))


def _state(call: Invocation, project: Project, plan: Plan) -> tuple[str, str]:
    """The text of the state, and where it is from; what cannot be read is no state."""
    from pytest_lok.core.findings.reviewed import sealed_text

    if pull := call.options.reviewed_from:
        from pytest_lok.cli.forge import review_at
        from pytest_lok.core.findings.threads import run_marker

        name = plan.workflow.stem
        try:
            there = review_at(project.root, call.environ, pull)
            return sealed_text(there.own_comment(run_marker(name)) or ""), f"the comment on {pull}"
        except LokError as failure:
            call.terminal.note(f"no state of a review: {failure.message}")
            return "", pull
    file = call.options.reviewed
    if file is None:
        return "", ""
    try:
        return file.read_text("ascii", "replace"), str(file)
    except OSError:
        return "", str(file)
