"""What a run notes of its steps for one that goes on from it, and what it keeps itself of the run before.

Before anything runs, a step is kept if all that it needs is kept, and nothing that it reads has changed. What
is left runs. When its turn comes, a step that reads no files is still kept if the steps before it came to the
same as before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_lok.core.approval import Approval, answer_to
from pytest_lok.core.events import Event, FilesSeen, RecordedStep, ResumeState, StepFinished
from pytest_lok.core.history import Resumed
from pytest_lok.core.results import Reply, StepResult
from pytest_lok.core.resume.decision import decide, decide_effects, explained_states, may_be_kept, maybe_done
from pytest_lok.core.resume.inputs import digest
from pytest_lok.core.workflow.model import Nested, Shell, Step
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.remote.kept import with_artifacts
from pytest_lok.engine.resume.edited_files import EditedFiles
from pytest_lok.engine.resume.files_watch import FilesWatch
from pytest_lok.engine.resume.step_inputs import (
    InputReader,
    attaches,
    lineage_of,
    may_change_files,
    question_of,
    reads_files,
)

if TYPE_CHECKING:
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import Prompt, World


_NO_NOTE = RecordedStep()


async def _unknown() -> str:
    return ""


def _tell_files(emit: Callable[[Event], None], steps: tuple[str, ...], tree: str) -> None:
    emit(FilesSeen(steps=steps, tree=tree))


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterMemory:
    """The memory of the run whose ``step`` runs this one's workflow; ``part`` is which run of it this is."""

    memory: RunMemory
    step: str
    part: str


class RunMemory:
    """The steps of one run: what each has read, and what the run before has left of it.

    ``results`` are those of the run so far, and grow. ``emit`` gets the state of the files that steps have
    read, once it is known. ``outer`` None = the run stands for itself; otherwise it keeps and notes nothing
    but the answers, which are those of the step that runs it.
    """

    def __init__(
        self,
        plan: Plan,
        world: World,
        before: ResumeState,
        run_id: str,
        results: Mapping[str, StepResult],
        emit: Callable[[Event], None],
        *,
        outer: OuterMemory | None = None,
    ) -> None:
        self._outer = outer
        self.files = FilesWatch(look=world.tree_state or _unknown, tell=partial(_tell_files, emit))
        self._plan = plan
        self._world = world
        self._before = before
        self.run_id = run_id
        self._why: dict[str, Resumed] = {}
        self._kept: set[str] = set()
        # of the steps whose results have not been told yet
        self._notes: dict[str, RecordedStep] = {}
        self._lineage: dict[str, str] = {}
        self._reader = InputReader(plan, world, results, self._lineage)
        self._edits = EditedFiles(self.files)
        # a lone command has nothing to keep, and a nested run is kept by the step that runs it
        self._is_worthwhile = outer is None and (
            bool(before.resumes)
            or len(plan.steps) > 1
            or any(not isinstance(it.action, Shell) for it in plan.steps)
        )
        self._inputs: dict[str, Mapping[str, str]] = {}

    # --- what is kept

    async def plan_ahead(self, results: Mapping[str, StepResult]) -> list[StepResult]:
        """What is kept before anything runs, in the plan's order, besides ``results``, which are known."""
        recorded = self._before.recorded
        if not recorded:
            return []
        now = await self.files.look_now()
        edits = {name for name, it in recorded.items() if it.left}
        while True:
            # an edit explains the state before it only if it is kept itself
            kept = await self._kept_with(explained_states(now, recorded, edits), results)
            if not (lost := edits - kept.keys()):
                break
            edits -= lost
        return [self._keep(step, kept[step.name]) for step in self._plan.steps if step.name in kept]

    async def _kept_with(
        self, states: frozenset[str], results: Mapping[str, StepResult]
    ) -> dict[str, RecordedStep]:
        known, lineage = dict(results), dict[str, str]()
        kept: dict[str, RecordedStep] = {}
        reader = InputReader(self._plan, self._world, known, lineage)
        for step in self._plan.steps:
            name, before = step.name, self._before.recorded.get(step.name)
            if name in results or before is None:
                continue
            again, said = name in self._before.again, None
            if self._has_effects(step):
                said = decide_effects(before, again=again)
            unsure = said is not None and said.decision != "kept"
            if said is None and all(need in known for need in step.needs):
                inputs = await reader.inputs_of(step)
                open_ = reads_files(step, self._world)
                said = decide(
                    before,
                    inputs,
                    is_command=isinstance(step.action, (Nested, Shell)),
                    reads_files=open_,
                    states=states,
                    again=again,
                )
            if said is None:
                continue
            if step.artifacts:
                said = await with_artifacts(step, before, said, self._world)
            self._why[name] = said
            if unsure:
                kept[name] = replace(before, result=maybe_done(name), stopped=True)
            elif said.decision == "kept" and before.result is not None:
                kept[name] = replace(before, result=replace(before.result, resumed=said))
            # what rests on an error has to wait for what the run makes of it
            if (it := kept.get(name)) is not None and it.result is not None and may_be_kept(it.result):
                known[name] = it.result
                lineage[name] = lineage_of(step, it.run_id, lineage)
        return kept

    def _decide_now(self, step: Step, inputs: Mapping[str, str]) -> RecordedStep | None:
        """The step with its result where that is kept, now that its needs have ended; None = it runs."""
        before, again = self._before.recorded.get(step.name), step.name in self._before.again
        command = isinstance(step.action, (Nested, Shell))
        # whether the step reads files is asked below: then nothing keeps its result any more
        said = decide(before, inputs, is_command=command, reads_files=False, states=(), again=again)
        if said.decision == "kept" and reads_files(step, self._world):
            # what a step that ran again has left in ignored files nobody sees
            said = Resumed(decision="changed", why="a step before it ran again")
        said = self._why.setdefault(step.name, said) if command else said
        self._why[step.name] = said
        if said.decision != "kept" or before is None or before.result is None:
            return None
        return replace(before, result=replace(before.result, resumed=said))

    def is_kept(self, step: str) -> bool:
        """Whether the step has its result from the run before."""
        return step in self._kept

    def _keep(self, step: Step, note: RecordedStep) -> StepResult:
        assert note.result is not None  # noqa: S101 - what has none is not kept
        self._kept.add(step.name)
        self._note(step, note)
        return note.result

    def _has_effects(self, step: Step) -> bool:
        """Whether the step changes something outside, now or when it was recorded."""
        before = self._before.recorded.get(step.name)
        return step.effects or (before is not None and before.effects)

    # --- what is noted

    async def perform(self, step: Step, work: Callable[[], Awaitable[StepResult]]) -> StepResult:
        """Do the ``work`` of a step whose turn has come, unless its result is kept."""
        if not self._is_worthwhile:
            return await work()
        inputs = self._inputs[step.name] = await self._reader.inputs_of(step)
        if self._before.resumes and (kept := self._decide_now(step, inputs)) is not None:
            return self._keep(step, kept)
        open_ = self._world.tree_state is not None and reads_files(step, self._world)
        if open_:
            await self.files.begin(step.name)
        result = await work()
        tree, left = await self._edits.of(step)
        if open_ and result.attempts and not isinstance(step.action, Shell) and not left:
            await self.files.look_now()
            tree = self.files.state if self.files.unchanged_since(step.name) else ""
        # a file may have been written while it was read
        if attaches(step) and dict(inputs) != await self._reader.inputs_of(step):
            inputs = {}
        self._note(step, RecordedStep(inputs=inputs, tree=tree, left=left, run_id=self.run_id))
        why = self._why.get(step.name)
        return result if why is None or not result.ran else replace(result, resumed=why)

    def has_ended(self, step: Step) -> None:
        """Look at the files once the end of a command has been told: nobody waits for that."""
        looks = self._world.tree_state is not None and isinstance(step.action, Shell)
        if looks and step.name in self._lineage and not self.is_kept(step.name):
            self.files.end(step.name)

    async def settle(self) -> None:
        """Wait for the looks at the files that are under way: somebody may go on from this run."""
        await self.files.settle()

    async def close(self) -> None:
        """Stop looking at the files."""
        await self.files.close()

    def finished(self, result: StepResult, at: float) -> StepFinished:
        """The event that a step has ended, with what a later run has to know to keep its result."""
        note = self._notes.pop(result.name, _NO_NOTE)
        return StepFinished(
            result=result,
            at=at,
            inputs=note.inputs,
            tree=note.tree,
            left=note.left,
            run_id=note.run_id,
            stopped=note.stopped,
            effects=note.effects,
        )

    def note_stopped(self, name: str) -> None:
        """Note that a step was ended before it could end."""
        self._notes[name] = RecordedStep(run_id=self.run_id, stopped=True)

    def _note(self, step: Step, note: RecordedStep) -> None:
        self._notes[step.name] = note
        self._lineage[step.name] = lineage_of(step, note.run_id, self._lineage)

    # --- answers that were given before

    def approval(self, step: str, question: str) -> Approval | None:
        """The answer that a person has given to this question; None = none, or what was read has changed."""
        given = () if step in self._before.again else self._before.approvals
        return answer_to(given, step, question, dict(self._inputs.get(step, {})))

    def of_inner(self, step: str, part: str) -> OuterMemory:
        """What keeps the answers of a run that a step runs."""
        return OuterMemory(memory=self, step=step, part=part)

    def answer(self, step: str, question: str) -> Reply | None:
        """The answer that the step got in the run before, in which it did not come to its end."""
        if (outer := self._outer) is not None:
            return outer.memory.answer(outer.step, question)
        before = self._before.recorded.get(step)
        if not question or before is None or step in self._before.again:
            return None
        return before.answers.get(question) if before.result is None or before.stopped else None

    def question(
        self, step: str, backend: str, prompt: Prompt, item: int | None, *, inside: bool = False
    ) -> str:
        """A digest by which its answer is known again; "" = what that depends on is not known.

        ``inside``: a step inside of this one asks. Once one of these may have changed files, nothing is known
        again: what they have changed stays changed, and the next run begins with other files.
        """
        if (outer := self._outer) is not None:
            found = outer.memory.question(outer.step, backend, prompt, item, inside=True)
            return found and digest([found, outer.part, step])
        state = self.files.state if self.files.unchanged_since(step) else ""
        if inside and not state and may_change_files(next(it for it in self._plan.steps if it.name == step)):
            return ""
        found = question_of(self._world.identity(backend), prompt, item, state)
        return found and digest([found, state]) if inside else found

    async def question_answered(self, step: str, backend: str, question: str) -> str:
        """The same digest after the answer; "" where the files that it depends on have changed meanwhile."""
        if (outer := self._outer) is not None:
            return await outer.memory.question_answered(outer.step, backend, question)
        identity = self._world.identity(backend)
        if question and identity is not None and identity.reads_files:
            await self.files.look_now()
            return question if self.files.unchanged_since(step) else ""
        return question

    # --- edits

    async def before_edits(self, step: str) -> str:
        """The state of the files that the step has read and is about to edit; "" = not known."""
        if (outer := self._outer) is not None:
            return await outer.memory.before_edits(outer.step)
        known = self._world.tree_state is not None and self._is_worthwhile
        return await self._edits.before(step) if known else ""

    async def after_edits(self, step: str, tree: str) -> None:
        """Note the state in which the step's edits have left the files."""
        if (outer := self._outer) is not None:
            await outer.memory.after_edits(outer.step, tree)
        else:
            await self._edits.after(step, tree)
