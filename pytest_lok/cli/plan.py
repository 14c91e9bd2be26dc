"""``lok plan WORKFLOW``: what would run, in order, what would be asked of whom; nothing does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.cli.options import COMMON_OPTIONS
from pytest_lok.cli.workflow_command import WorkflowGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_lok.cli.invocation import Invocation
    from pytest_lok.core.templates.scope import Scope
    from pytest_lok.core.workflow.model import Ask, Nested, Step
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import World
    from pytest_lok.reports.outline import PlannedLimits
    from pytest_lok.reports.planned.planned_steps import PlannedBackend, PlannedStep
    from pytest_lok.settings import Settings
    from pytest_lok.wiring import Project

_FREE = ("scripted", "ollama")
"""Types of backends whose answers cost no money."""


def show_plan(call: Invocation, project: Project, plan: Plan) -> int:
    """Print the plan; returns 0, because nothing is judged."""
    from shutil import which

    from pytest_lok.cli.trust import with_distrust_note
    from pytest_lok.core.templates.scope import Scope
    from pytest_lok.core.workflow.model import Shell
    from pytest_lok.reports.json_report import dumps
    from pytest_lok.reports.outline import outline, outline_document

    seen = with_distrust_note(call, project)
    world = seen.world(shown=True)
    for remark in plan.workflow.remarks:
        call.terminal.note(f"warning: {remark}")
    # found out here rather than in the middle of a run
    every = [each for step in plan.steps for each in step.in_all()]
    piped = any(isinstance(step.action, Shell) and step.action.pipefail for step in every)
    if piped and which("bash", path=world.env.get("PATH")) is None:
        call.terminal.note("warning: bash is not installed, and steps with `pipefail` need it")
    scope = Scope(
        arguments=plan.values,
        env=world.env,
        workflow_name=plan.workflow.name,
        project=world.workspace.project(),
    )
    steps = [_priced(_planned(step, world, scope), seen.settings, world) for step in plan.steps]
    limits = _limits(plan, steps, world)
    if call.json:
        call.deliver(dumps(world.redactor.value(outline_document(plan, steps, limits))))
    else:
        text = outline(plan, steps, whole=call.options.verbose, limits=limits)
        call.deliver(world.redactor.text(text))
    return 0


def _limits(plan: Plan, steps: Sequence[PlannedStep], world: World) -> PlannedLimits | None:
    """How much of the plan would run at once; None for a plan of one step without items."""
    import math

    from pytest_lok.core.workflow.model import Shell
    from pytest_lok.reports.outline import PlannedLimits
    from pytest_lok.reports.planned.planned_steps import counted

    if len(steps) == 1 and plan.steps[0].for_each is None and not steps[0].inner:
        return None
    wanted = plan.workflow.max_parallel
    at_once, limiters = world.limits.parallel_for(wanted), world.limiters
    asked = dict.fromkeys(one.backend for each in counted(steps) for one in each.planned.asked)
    places = {name: limiters[name].capacity if name in limiters else math.inf for name in asked}
    has_commands = any(isinstance(each.planned.step.action, Shell) for each in counted(steps))
    return PlannedLimits(
        steps=None if math.isinf(at_once) else int(at_once),
        commands=world.limits.total_for(wanted) if has_commands and math.isinf(at_once) else None,
        questions={name: None if math.isinf(many) else int(many) for name, many in places.items()},
    )


def _planned(step: Step, world: World, scope: Scope | None) -> PlannedStep:
    """The step as far as it is known; ``scope`` None = what its texts read is not."""
    from dataclasses import replace

    from pytest_lok.core.workflow.model import Ask, Nested
    from pytest_lok.errors import TemplateError
    from pytest_lok.reports.planned.planned_steps import PlannedStep

    if isinstance(step.action, Nested):
        within = _inner_scope(step.action, scope)
        inner = [_planned(each, world, within) for each in step.action.workflow.steps]
        return PlannedStep(step=step, inner=inner)
    if not isinstance(step.action, Ask):
        return PlannedStep(step=step)
    prompt, asked = step.action.prompt, _asked(step.action, world)
    if scope is not None and step.case is not None:
        scope = replace(scope, case=step.case.values)
    if scope is not None and not prompt.steps and step.for_each is None:
        try:
            return PlannedStep(step=step, asked=asked, prompt=prompt.render(scope), prompt_known=True)
        except TemplateError:  # what is missing (an unset variable) may be there when it runs
            pass
    return PlannedStep(step=step, asked=asked, prompt=prompt.source)


def _inner_scope(action: Nested, scope: Scope | None) -> Scope | None:
    """What the texts of the workflow read; None where its arguments are known only when the step runs."""
    from dataclasses import replace

    from pytest_lok.core.workflow.plan import Plan

    if scope is None or any(text.has_tags for text in action.arguments.values()):
        return None
    plan = Plan.of(action.workflow, named={name: it.source for name, it in action.arguments.items()})
    return replace(scope, arguments=plan.values, workflow_name=plan.workflow.name)


def _priced(planned: PlannedStep, settings: Settings, world: World) -> PlannedStep:
    """The step with the prices of whom it asks, where the settings or the step say which model that is."""
    from dataclasses import replace

    from pytest_lok.core.asking.pricing import Price, price_of
    from pytest_lok.core.workflow.model import Ask

    action = planned.step.action
    if not isinstance(action, Ask):
        return replace(planned, inner=[_priced(each, settings, world) for each in planned.inner])
    asked = []
    for one in planned.asked:
        backend = settings.backends.get(one.backend)
        model = action.model or (backend.model if backend else "")
        # answers of this machine cost no money
        free = backend is not None and backend.type in _FREE
        price = Price(input=0.0, output=0.0) if free else price_of(model, world.prices) if model else None
        asked.append(replace(one, price=price))
    return replace(planned, asked=asked)


def _asked(ask: Ask, world: World) -> Sequence[PlannedBackend]:
    from pytest_lok.core.workflow.model import AUTO, EVERYBODY, Strategy
    from pytest_lok.engine.asking.route import names_of, problem_of
    from pytest_lok.errors import BackendError
    from pytest_lok.reports.planned.planned_steps import PlannedBackend

    keeps_all = ask.consensus is Strategy.ALL
    try:
        names, best = names_of(ask.backends, ask.prompt.source, world, keeps_all=keeps_all)
    except BackendError as error:
        return [PlannedBackend(backend=EVERYBODY if keeps_all else AUTO, problem=error.message)]
    options = {name: {**world.options.get(name, {}), **ask.options_for(name)} for name in names}
    if best is not None:
        best_options = options[best.backend]
        return [PlannedBackend(backend=best.backend, auto=True, why=best.why, options=best_options)]
    found = [(name, world.backends.get(name)) for name in names]
    return [
        PlannedBackend(
            backend=name,
            problem=_problem(problem_of(backend)) if backend else "not configured",
            options=options[name],
        )
        for name, backend in found
    ]


def _problem(error: Exception | None) -> str:
    return "" if error is None else getattr(error, "message", str(error))


command = WorkflowGroup(
    "plan",
    action=show_plan,
    accepts=(
        "steps",
        "backend",
        "everybody",
        "timeout",
        "max_parallel",
        "verbose",
        "json",
        "output",
        *COMMON_OPTIONS,
    ),
    help="""Show what WORKFLOW would do with these arguments: the steps in order, their commands, what
    would be asked of whom, and prompts as far as they are known. Nothing is run or asked.

    Exit code 0, or 2 where the workflow or an argument is wrong.
    """,
)
