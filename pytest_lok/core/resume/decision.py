"""What is recorded of a step, and what it would read now → whether its result is kept, and why or why not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_lok.core.events import (
    BackendReplied,
    Event,
    FilesSeen,
    RecordedStep,
    RunStarted,
    StepFinished,
    StepStarted,
)
from pytest_lok.core.history import Resumed
from pytest_lok.core.results import Outcome, Reply, StepResult

MAYBE_DONE = "it was started before and may have done its work outside, which is not repeated unasked"
"""Why a step with effects is an error that had begun, and of which nobody knows how it ended."""


_NOTHING = RecordedStep()
_UNCHANGED = Resumed(decision="kept", why="what it reads is unchanged")


def recorded_steps(events: Iterable[Event]) -> dict[str, RecordedStep]:
    """What the events of a run say of each step that has begun, by name; the last word on a step counts."""
    steps: dict[str, RecordedStep] = {}
    answers: dict[str, dict[str, Reply]] = {}
    run_id = ""
    for event in events:
        match event:
            case RunStarted():
                run_id = event.run_id
            case StepStarted(step=name):
                # a step that begins once more has no result until it ends
                steps[name] = RecordedStep(
                    effects=event.effects, run_id=run_id, answers=answers.setdefault(name, {})
                )
            case BackendReplied(step=name, question=question) if question:
                answers.setdefault(name, {})[question] = event.reply
            case StepFinished(result=result):
                before = steps.get(result.name, _NOTHING)
                steps[result.name] = RecordedStep(
                    answers=before.answers,
                    result=result,
                    inputs=event.inputs,
                    tree=event.tree,
                    left=event.left,
                    run_id=event.run_id or run_id,
                    stopped=event.stopped,
                    effects=before.effects or event.effects,
                )
            case FilesSeen():
                for name in event.steps:
                    if name in steps:
                        steps[name] = replace(steps[name], tree=event.tree)
            case _:
                pass
    return steps


def merged(older: Mapping[str, RecordedStep], newer: Mapping[str, RecordedStep]) -> dict[str, RecordedStep]:
    """What two runs have recorded, of which the newer resumed the older: its own word on a step counts.

    A step that the newer run has only skipped for others' sake says nothing of it. Where neither run came to
    the end of a step, the answers of both count.
    """
    found = dict(older)
    for name, it in newer.items():
        before = older.get(name)
        if before is None:
            found[name] = it
        elif _says_something(it):
            cut = _is_cut_short(before) and _is_cut_short(it)
            found[name] = replace(it, answers={**before.answers, **it.answers}) if cut else it
    return found


def _is_cut_short(recorded: RecordedStep) -> bool:
    return recorded.result is None or recorded.stopped


def _says_something(recorded: RecordedStep) -> bool:
    result = recorded.result
    return result is None or recorded.effects or bool(result.attempts or recorded.inputs)


def may_be_kept(result: StepResult) -> bool:
    """Whether a result is one that counts again if nothing that it came of has changed.

    It does if it is a judgement: yes, no, or a `when` that was false. An error is none. A no that a backend
    had no part in, because it gave no valid answer, may be a yes with it.
    """
    match result.outcome:
        case Outcome.PASSED:
            return True
        case Outcome.FAILED:
            return not result.refusals
        case Outcome.SOFT:
            return result.underlying is Outcome.FAILED and not result.refusals
        case Outcome.SKIPPED:
            return not result.blocked and not result.attempts
        case _:
            return False


def explained_states(
    now: str, recorded: Mapping[str, RecordedStep], kept_edits: Collection[str]
) -> frozenset[str]:
    """The states of the files that count as the one there is ``now``.

    That is the state itself, and every state which edits of the run have turned into it, by steps that are
    kept.
    """
    states = {now} - {""}
    edits = [it for name in kept_edits if (it := recorded.get(name)) is not None and it.left and it.tree]
    # edits may follow each other: each leads one state further back
    while found := {it.tree for it in edits if it.left in states} - states:
        states |= found
    return frozenset(states)


def decide(
    recorded: RecordedStep | None,
    inputs: Mapping[str, str],
    *,
    is_command: bool = False,
    reads_files: bool,
    states: Collection[str],
    again: bool = False,
) -> Resumed:
    """Whether the result of a step is kept: it is, if all that it came of is known, and is what it was.

    ``inputs`` are the digests of what the step would read now, {} = not known. ``states`` are those of the
    files that count as the present one. ``again``: somebody wants it to run. The no of a command is not kept.
    A step with effects is another question.
    """
    if again:
        return Resumed(decision="again", why="that was asked for")
    if recorded is None:
        return Resumed(decision="again", why="it had not begun")
    result = recorded.result
    if result is None or recorded.stopped:
        return Resumed(decision="again", why="it had not ended")
    if is_command and (result.underlying or result.outcome) is Outcome.FAILED:
        # it costs nothing, and may have come of something outside of the project
        return Resumed(decision="again", why="the command had failed")
    if not may_be_kept(result):
        return Resumed(decision="again", why=_why_not(result))
    if not inputs or not recorded.inputs:
        return Resumed(decision="again", why="what it reads is not known for sure")
    if changed := changes(recorded.inputs, inputs):
        return Resumed(decision="changed", why=_listed(changed))
    if reads_files and result.attempts:
        # what a step has edited itself it would find edited
        state = recorded.left or recorded.tree
        if not recorded.tree or not states:
            return Resumed(decision="again", why="the state of the files that it read is not known for sure")
        if state not in states:
            return Resumed(decision="changed", why="files of the project")
    return _UNCHANGED


def decide_effects(recorded: RecordedStep | None, *, again: bool) -> Resumed | None:
    """What becomes of a step that changes something outside; None = what would become of any step.

    Where it may have done so nobody knows, ``decision`` is "again", and it must not be obeyed unasked.
    """
    if recorded is None or again:
        return None
    result = recorded.result
    if result is not None and not result.attempts and not recorded.stopped:
        return None
    if result is None or recorded.stopped or (result.underlying or result.outcome) is Outcome.ERROR:
        return Resumed(decision="again", why=MAYBE_DONE)
    return Resumed(decision="kept", why="what it did outside is not repeated unasked")


def maybe_done(name: str) -> StepResult:
    """The result of a step of which nobody knows whether it has done outside what it does there."""
    return StepResult(
        name=name,
        outcome=Outcome.ERROR,
        reason=MAYBE_DONE,
        attempts=1,
        hint=f"look whether it is done; `--again {name}` (pytest: `--lok-again {name}`) does it once more",
    )


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What of a step's inputs is not what it was."""
    return [what for what in dict.fromkeys([*now, *before]) if before.get(what) != now.get(what)]


def _listed(what: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b, and c``: what is listed has several words."""
    return ", and ".join([", ".join(what[:-1]), what[-1]]) if len(what) > 2 else " and ".join(what)


def _why_not(result: StepResult) -> str:
    if result.blocked:
        return f"step {result.blocked_by!r} had blocked it"
    if result.waiting:
        return "it waited for an answer"
    if (result.underlying or result.outcome) is Outcome.ERROR:
        return "it was an error"
    if result.outcome is Outcome.SKIPPED:
        return "it was skipped"
    return "not every backend had given a valid answer"
