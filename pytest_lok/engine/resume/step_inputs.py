"""A step and the world → digests of what the step would read now, and whether it reads files."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.core.history import DigestsOnDemand
from pytest_lok.core.json_values import Json, jsonable
from pytest_lok.core.resume.inputs import BackendIdentity, Facts, digest, step_inputs
from pytest_lok.core.templates.scope import Loop, Scope
from pytest_lok.core.workflow.items import items_of
from pytest_lok.core.workflow.model import AUTO, EVERYBODY, Approve, Ask, Format, Nested, Shell, Step
from pytest_lok.errors import LokError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.results import StepResult
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import Prompt, World

_Digesting: TypeAlias = Callable[[Step], Mapping[str, str]]
_NOT_ASKED = frozenset({"timeout", "on_text", "workflow", "step", "usd_left"})
"""Fields of a prompt that say nothing to whoever answers; every other one counts."""


def reads_files(step: Step, world: World) -> bool:
    """Whether the step may read any file: a command, a tool that looks around, a review, edits."""
    return _reads_files(step, _identities(step, world))


def may_change_files(step: Step) -> bool:
    """Whether a command or an answer of the step, or of one inside of it, may change files."""
    return any(
        isinstance(it.action, Shell)
        or (isinstance(it.action, Ask) and (it.action.apply_edits or _verifies(it.action)))
        for it in step.in_all()
    )


def _verifies(ask: Ask) -> bool:
    return ask.verify is not None or bool(ask.verify_preset)


def _reads_files(step: Step, identities: Mapping[str, BackendIdentity | None]) -> bool:
    action = step.action
    if isinstance(action, (Shell, Nested)) or step.output_format is Format.FINDINGS:
        return True
    if isinstance(action, Ask) and (action.apply_edits or action.verify or action.verify_preset):
        return True
    return any(it is None or it.reads_files for it in identities.values())


def lineage_of(step: Step, run_id: str, lineage: Mapping[str, str]) -> str:
    """A digest of the run in which the step ran, and those of all steps before it, which ``lineage`` has."""
    words = [step.name, run_id, *[lineage.get(name, "") for name in sorted(step.needs)]]
    # a step's name and a run's id hold no such character
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


class InputReader:
    """What the steps of a plan would read in a world, as digests.

    ``results`` has those of the steps that have ended, and ``lineage`` what ``lineage_of`` says of each. Both
    may grow.
    """

    def __init__(
        self, plan: Plan, world: World, results: Mapping[str, StepResult], lineage: Mapping[str, str]
    ) -> None:
        self._plan = plan
        self._world = world
        self._results = results
        self._lineage = lineage
        self._env = world.env if world.command_env is None else {**world.env, **world.command_env}
        self._digests: dict[tuple[str, bool], str] = {}
        self._known: dict[tuple[object, ...], tuple[Facts, _Digesting]] = {}

    async def inputs_of(self, step: Step) -> Mapping[str, str]:
        """The digests of what the step reads, by what that is; {} = something of it cannot be known."""
        identities = _identities(step, self._world)
        if None in identities.values():
            return {}
        # what an inner step attaches or compares with is told of no outer one
        inner = step.in_all() if isinstance(step.action, Nested) else ()
        if any(attaches(it) or it.output_format is Format.FINDINGS for it in inner):
            return {}
        facts, digesting = self._facts_of(step, identities)
        reads_base, reads_attached = step.output_format is Format.FINDINGS, attaches(step)
        if reads_base or reads_attached:
            attached = await self._attached(step) if reads_attached else {}
            base = await self._base() if reads_base else ""
            digesting = self._digesting(replace(facts, attached=attached, base=base))
        return DigestsOnDemand(digesting, step)

    def _facts_of(
        self, step: Step, identities: Mapping[str, BackendIdentity | None]
    ) -> tuple[Facts, _Digesting]:
        """What the step may read, besides attached files and the base; most steps have the same."""
        open_ = _reads_files(step, identities)
        verifies = isinstance(step.action, Ask) and (step.action.verify or step.action.verify_preset)
        key = (type(step.action), open_, bool(verifies), any(it.asserts for it in step.in_all()), *identities)
        if key not in self._known:
            texts = {name: it.text for name, it in identities.items() if it is not None}
            facts = Facts(
                results=self._results,
                lineage=self._lineage,
                settings=digest(_settings(step, self._world, texts)),
                reads_files=open_,
                arguments=self._plan.values,
                env=self._env,
                project=self._world.workspace.project,
                digests=self._digests,
            )
            self._known[key] = facts, self._digesting(facts)
        return self._known[key]

    def _digesting(self, facts: Facts) -> _Digesting:
        return partial(step_inputs, workflow=self._plan.workflow, facts=facts)

    async def _attached(self, step: Step) -> dict[str, str] | None:
        """The digest of each file that the step attaches; None = that cannot be told of all of them."""
        from pytest_lok.engine.asking.attachments import attached_names, attachment_paths

        assert isinstance(step.action, Ask)  # noqa: S101 - asked before
        action, workspace = step.action, self._world.workspace
        scope = Scope(
            steps=self._results,
            arguments=self._plan.values,
            env=self._world.env,
            workflow_name=self._plan.workflow.name,
            project=workspace.project(),
            case=step.case.values if step.case else None,
        )

        def read(names: Iterable[str]) -> dict[str, str]:
            found: dict[str, str] = {}
            for loop in _loops(step, scope):
                for path in attachment_paths(action, scope.at(loop), names):
                    if path not in found:
                        content = workspace.read(path)
                        found[path] = "" if content is None else hashlib.sha256(content).hexdigest()
            return found

        try:
            return await asyncio.to_thread(read, await attached_names(action, workspace))
        except (LokError, ValueError, OSError):
            return None

    async def _base(self) -> str:
        """The commit that findings are compared with; "" = they are compared with none."""
        gate = self._plan.workflow.gate
        if gate is None or (gate.scope == "all" and gate.baseline != "new"):
            return ""
        try:
            return (await self._world.workspace.comparison(())).commit or "-"
        except StepUnableError as unknown:
            return f"- {unknown.message}"


def question_of(identity: BackendIdentity | None, prompt: Prompt, item: int | None, state: str) -> str:
    """A digest of all that an answer depends on, ``state`` being that of the files; "" = it is not known."""
    if identity is None or (identity.reads_files and not state):
        return ""
    fields = [name for name in type(prompt).__dataclass_fields__ if name not in _NOT_ASKED]
    asked = {name: jsonable(getattr(prompt, name)) for name in fields}
    return digest([identity.text, asked, item, state if identity.reads_files else ""])


def _identities(step: Step, world: World) -> dict[str, BackendIdentity | None]:
    """What the answers of each backend depend on that the step may ask."""
    if not step.asserts and isinstance(step.action, (Approve, Shell)):
        return {}
    names: set[str] = set()
    for each in step.in_all():
        names |= _asked_by(each, world)
    # whom these mean depends on all of them
    if names & {AUTO, EVERYBODY}:
        names |= {*world.backends}
    return {name: world.identity(name) for name in sorted(names - {AUTO, EVERYBODY})}


def _asked_by(step: Step, world: World) -> set[str]:
    """The names of the backends that the step itself asks, as they are written."""
    names: set[str] = set()
    if isinstance(step.action, Ask):
        names |= {*(step.action.backends or world.default_backends or [AUTO])}
        names |= {*filter(None, [step.action.synthesizer])}
    for condition in step.asserts:
        for rubric in condition.rubrics:
            names |= {rubric.backend} if rubric.backend else {*(world.default_backends or [AUTO])}
    return names


def _settings(step: Step, world: World, identities: Mapping[str, str]) -> Json:
    """What of the settings decides what the step does."""
    said: dict[str, Json] = {"backends": dict(identities)}
    if not isinstance(step.action, (Approve, Shell)):
        said["weights"] = dict(world.weights)
        said["strengths"] = {name: list(it) for name, it in world.strengths.items()}
    if isinstance(step.action, (Nested, Shell)) or (
        isinstance(step.action, Ask) and (step.action.verify or step.action.verify_preset)
    ):
        said["wrapper"] = world.command_wrapper
    if any(it.asserts for it in step.in_all()):
        said["prices"] = {name: [it.input, it.output] for name, it in world.prices.items()}
    return said


def attaches(step: Step) -> bool:
    """Whether the text of files follows the step's prompt."""
    return isinstance(step.action, Ask) and bool(step.action.attach or step.action.attach_from)


def _loops(step: Step, scope: Scope) -> Iterator[Loop | None]:
    if step.for_each is None:
        yield None
        return
    for index, item in enumerate(items_of(step.for_each, scope)):
        yield Loop(item=item, index=index)
