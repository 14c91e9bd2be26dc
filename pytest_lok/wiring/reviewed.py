"""A plan and the state of an earlier review -> what of the change is asked about, and the next state."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_lok.core.findings.prior import PriorReview, ReviewedState
from pytest_lok.core.findings.reviewed import SHORTEST_KEY, misfit, seal, state_after, unseal
from pytest_lok.core.resume.inputs import variables_named
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.carried import WHOLE_CHANGE
from pytest_lok.errors import StepUnableError, UsageError
from pytest_lok.version import __version__
from pytest_lok.wiring.world import local_git
from pytest_lok.workspace.descent import is_as_committed, not_after

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lok.core.results import RunResult
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.wiring.project import Project

KEY = "LOK_STATE_KEY"
"""The variable with the key of the seals. Its name makes it a secret: no command and no model sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOfChange:
    """One run of a plan whose gate says ``since = "reviewed"``; ``key`` "" = no state is read or made."""

    project: Project
    plan: Plan
    key: str

    @classmethod
    def of(cls, project: Project, plan: Plan) -> ReviewOfChange:
        """UsageError where the key is too short to be one."""
        key = project.environ.get(KEY, "")
        if key and len(key) < SHORTEST_KEY:
            raise UsageError(
                f"{KEY} is too short to keep anybody from forging a state",
                hint=f"give it {SHORTEST_KEY} characters or more, made at random",
            )
        return cls(project=project, plan=plan, key=key)

    def prior(self, text: str, source: str) -> PriorReview:
        """What is known by the text of a state, which came from ``source``; never an error."""
        if not self.key:
            return PriorReview(why=f"{KEY} is not set, so no state can be believed")
        if not text:
            return PriorReview(why=f"there is no state in {source} yet" if source else "no state was given")
        try:
            state = unseal(text, self.key)
        except (ValueError, KeyError, TypeError) as broken:
            return PriorReview(why=f"the state in {source} is ignored: {broken}")
        try:
            why = self._misfit(state)
        except StepUnableError as unable:
            why = unable.message
        return PriorReview(why=why) if why else PriorReview(state=state)

    def sealed_state(self, result: RunResult) -> str:
        """The state for the next run, sealed; ValueError says why there is none."""
        if not self.key:
            raise ValueError(f"{KEY} is not set")
        if not result.head or not result.base:
            raise ValueError("it is not known which commits were compared")
        if why := self._unclean(result.head):
            raise ValueError(why)
        return seal(state_after(result, self.plan, self._conditions), self.key)

    def _misfit(self, state: ReviewedState) -> str:
        """Why the earlier review says nothing of this change; "" if it does."""
        base, head = self._commits
        if not base:
            return "there is nothing to compare the change with"
        if why := misfit(state, base, self._conditions):
            return why
        reviews = {step.name for step in self.plan.steps if step.output_format.value == "findings"}
        if reviews != state.steps.keys():
            return "other steps reported findings then"
        if state.head == head:
            return f"{head[:12]} itself was reviewed before"
        return self._unclean(head) or not_after(*self._place, state.head)

    def _unclean(self, head: str) -> str:
        """Why the files are not those of the commit; "" if they are."""
        if self._commits[1] != head:
            return "another commit was checked out meanwhile"
        # the tree of `lok gate` has the files of the commit, and no index
        return "" if self.project.judged or is_as_committed(*self._place) else "there are uncommitted files"

    @property
    def _commits(self) -> tuple[str, str]:
        """The commit where the change left its base, and that of HEAD; "" for each that there is none of."""
        return asyncio.run(local_git(*self._place).commits())

    @property
    def _place(self) -> tuple[Path, Mapping[str, str]]:
        """The work tree, and the environment of git there."""
        judged = self.project.judged
        return (judged.root, judged.commands) if judged else (self.project.root, self.project.environ)

    @property
    def _conditions(self) -> Mapping[str, str]:
        """What a review depends on besides the change, by what it is."""
        settings = self.project.settings
        chosen = settings.members(settings.defaults.backends)
        visible = self._place[1]
        given = {name: visible.get(name, "") for it in settings.backends.values() for name in it.env}
        # who has not the key cannot guess a value: the state may stand where everybody reads it
        backends = [self.key, repr(settings.backends), repr(settings.roles), given, *chosen]
        return {
            "lok": __version__,
            "the workflow": self.plan.workflow.sha256,
            "an argument": _digest(dict(self.plan.arguments)),
            "the choice of steps": _digest(sorted(step.name for step in self.plan.steps)),
            "a backend or its model": _digest(backends),
            "a variable that a text names": _digest([self.key, variables_named(self.plan.steps, visible)]),
        }


def why_not_enough(result: RunResult, prior: PriorReview) -> str:
    """Why a run that was shown a part of the change does not count for all of it; "" if it does."""
    if prior.state is None or result.interrupted:
        return ""
    for step in result.steps.values():
        if step.reason.startswith(WHOLE_CHANGE):
            return step.reason.removeprefix(WHOLE_CHANGE)
    for name in result.reviews:
        step = result.steps[name]
        # that nothing is left to be shown says nothing of the rest
        if not (step.ran and (step.replies or step.refusals or step.exit_code is not None)):
            return f"step {name} had nothing to look at"
    return ""


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
