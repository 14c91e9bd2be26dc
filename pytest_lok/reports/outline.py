"""Plan -> what would run, in order, and what would be asked of whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from pytest_lok.core.asking.answer_options import in_words
from pytest_lok.core.asking.estimate import ANSWER, CHARACTERS, Estimate, estimated
from pytest_lok.core.workflow.model import (
    Approve,
    Ask,
    Budget,
    Format,
    Gate,
    Nested,
    Shell,
    Step,
    Strategy,
    Workflow,
)
from pytest_lok.core.workflow.plan import Plan
from pytest_lok.dataclass import dataclass
from pytest_lok.reports.escaping import escape_control_chars
from pytest_lok.reports.planned.planned_steps import PlannedBackend, PlannedStep, counted
from pytest_lok.reports.questions import QuestionCount, allowed, questions_of, questions_to, synthesises

_PROMPT_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLimits:
    """How much would run at once: ``steps`` and items of every kind, else ``commands`` alone.

    ``questions`` are those that each backend gets at once. None = any number.
    """

    steps: int | None = None
    commands: int | None = None
    questions: Mapping[str, int | None] = field(default_factory=dict)


def outline(
    plan: Plan, steps: Sequence[PlannedStep], *, whole: bool = False, limits: PlannedLimits | None = None
) -> str:
    """The plan for people; ``whole`` shows prompts of any length."""
    workflow = plan.workflow
    lines = [": ".join(filter(None, [workflow.stem, workflow.description]))]
    if workflow.path:
        lines.append(f"  {workflow.origin}: {workflow.path}")
    declared = {str(argument.position) for argument in workflow.args.values()}
    lines += [f"  arg.{name} = {value}" for name, value in plan.arguments.items() if name not in declared]
    written = {planned.step.name: planned.step.written_name for planned in steps}
    for number, (name, group) in enumerate(_as_written(steps).items(), 1):
        shown = group if whole else group[:1]
        does = "; ".join(dict.fromkeys(map(_kind, group)))
        does = f"{_many(len(group), 'case')}, {does}" if group[0].step.case else does
        lines += ["", f"{number}. {name}: {does}"]
        for planned in shown:
            step = planned.step
            lines += [f"   {step.name}: {_kind(planned)}"] if step.case else []
            told = (*_conditions(step, written), *_options(planned.asked), *_text(planned, whole))
            lines += [f"   {line}".rstrip() for line in told]
        if left := len(group) - len(shown):
            lines.append(f"   and {_many(left, 'more case')} (-v shows them)")
    lines += ["", *_gate(workflow), *([] if limits is None else _at_once(limits))]
    lines += _estimate(workflow.budget, steps)
    lines.append(f"{_many(len(steps), 'step')}, {_questions(steps)}. Nothing was run.")
    return escape_control_chars("\n".join(lines))


def _as_written(steps: Sequence[PlannedStep]) -> dict[str, list[PlannedStep]]:
    """The steps by the names that stand in the file: one, or the cases of one."""
    found: dict[str, list[PlannedStep]] = {}
    for planned in steps:
        found.setdefault(planned.step.written_name, []).append(planned)
    return found


def _gate(workflow: Workflow) -> Iterator[str]:
    """The gate and the budget in a line each: when findings fail, and what is not the default."""
    for name, table, usual, always in (
        ("Gate", workflow.gate, Gate(), "fail_on"),
        ("Budget", workflow.budget, Budget(), ""),
    ):
        if table is not None:
            values = {key: getattr(table, key) for key in table.__slots__}
            said = [f"{k} = {v}" for k, v in values.items() if k == always or v != getattr(usual, k)]
            yield f"{name}: {', '.join(said)}."


def _estimate(budget: Budget | None, steps: Sequence[PlannedStep]) -> Iterator[str]:
    """About how much it takes, what is not in that, and what the budget allows."""
    count, estimate = _known(steps)
    unknown = list(_not_estimated(steps))
    if not count.usual and not unknown:
        return
    if count.usual:
        priced = f", ${estimate.cost_usd:.4f}" if estimate.cost_usd or not estimate.unpriced else ""
        sent, received = f"{estimate.input_tokens:,} tokens to send", f"{estimate.output_tokens:,} to receive"
        how = f"({CHARACTERS} characters a token, {ANSWER} tokens an answer)"
        yield f"Estimate: some {sent} and {received}{priced} {how}."
    else:
        yield "Estimate: none, for nobody knows yet what is asked."
    unknown += [f"the price of {', '.join(estimate.unpriced)}"] if estimate.unpriced else []
    if unknown:
        yield f"  not in it: {'; '.join(unknown)}"
    if budget is not None:
        yield from (f"  {line}" for line in allowed(budget, count, estimate, is_open=_is_open(steps)))


def _is_open(steps: Sequence[PlannedStep]) -> bool:
    """Whether nobody knows yet how many questions there are."""
    return any(it.open and it.questions.most for it in counted(steps))


def _known(steps: Sequence[PlannedStep]) -> tuple[QuestionCount, Estimate]:
    """The questions that are known by now, and what they take."""
    count, asked = QuestionCount(), []
    for each in counted(steps):
        if each.open:
            continue
        count += each.questions
        prices = [(one.backend, one.price) for one in each.planned.asked]
        questions = questions_to(each.planned.step, prices, _characters(each.planned))
        asked += [replace(question, number=question.number * each.usual) for question in questions]
    return count, estimated(asked)


def _characters(planned: PlannedStep) -> int:
    ask = planned.step.action
    instructions = [it.text for it in ask.instructions] if isinstance(ask, Ask) else []
    system = ask.system.source if isinstance(ask, Ask) and ask.system else ""
    return sum(map(len, [planned.prompt, system, *instructions]))


def _not_estimated(steps: Sequence[PlannedStep]) -> Iterator[str]:
    """What questions depend on that is not there before the run."""
    every = list(counted(steps))
    items = list(dict.fromkeys(it.open for it in every if it.open and it.questions.most))
    filled = [it.name for it in every if it.planned.asked and not (it.planned.prompt_known or it.open)]
    if items:
        yield f"the items of {', '.join(dict.fromkeys(items))}"
    attaching = [
        it.name
        for it in every
        if isinstance(ask := it.planned.step.action, Ask) and (ask.attach or ask.attach_from)
    ]
    if attaching:
        yield f"the files attached by {', '.join(dict.fromkeys(attaching))}"
    if filled:
        yield f"what is put into the prompt of {', '.join(dict.fromkeys(filled))}"


def _questions(steps: Sequence[PlannedStep]) -> str:
    """How many questions are paid for; those of a list that is not known yet, for each of its items."""
    known, unknown = QuestionCount(), dict[str, QuestionCount]()
    for each in counted(steps):
        if not each.open:
            known += each.questions
        elif each.questions.most:
            unknown[each.open] = unknown.get(each.open, QuestionCount()) + each.questions
    parts = [str(known)] if known.most or not unknown else []
    return "; ".join([*parts, *(f"for each item of {name}: {count}" for name, count in unknown.items())])


def outline_document(
    plan: Plan, steps: Sequence[PlannedStep], limits: PlannedLimits | None = None
) -> dict[str, object]:
    """The plan for programs: plain values."""
    return {
        "workflow": plan.workflow.stem,
        "path": plan.workflow.path,
        "arguments": dict(plan.arguments),
        "selected": [step.name for step in plan.steps if step.name in plan.selected],
        "steps": [_document(planned) for planned in steps],
        "at_once": limits,
        "estimate": _estimate_document(plan.workflow.budget, steps),
    }


def _estimate_document(budget: Budget | None, steps: Sequence[PlannedStep]) -> dict[str, object]:
    count, estimate = _known(steps)
    return {
        "questions": count,
        "input_tokens": estimate.input_tokens,
        "output_tokens": estimate.output_tokens,
        "cost_usd": None if estimate.unpriced else estimate.cost_usd,
        "unpriced": estimate.unpriced,
        "not_estimated": list(_not_estimated(steps)),
        "allowed": [] if budget is None else list(allowed(budget, count, estimate, is_open=_is_open(steps))),
    }


def _at_once(limits: PlannedLimits) -> Iterator[str]:
    """How much would run at once, in a line."""
    plural = "" if limits.steps == 1 else "s"
    parts = [f"{limits.steps} step{plural} or item{plural}"] if limits.steps is not None else []
    parts += [_many(limits.commands, "command")] if limits.commands is not None else []
    parts += [
        f"{_many(number, 'question')} to {name}"
        for name, number in limits.questions.items()
        if number is not None
    ]
    if parts:
        yield f"At once: at most {', '.join(parts)}."


def _document(planned: PlannedStep) -> dict[str, object]:
    step = planned.step
    common: dict[str, object] = {
        "name": step.name,
        "case": step.case.values if step.case else None,
        "needs": step.needs,
        "when": step.when.source if step.when else None,
        "for_each": step.for_each is not None,
        "timeout": step.timeout,
    }
    if isinstance(step.action, Approve):
        return {**common, "kind": "approval", "question": step.action.question.source}
    if isinstance(step.action, Shell):
        unknown = step.action.shell.unknown_commands if step.action.shell else ()
        return {**common, "kind": "shell", "command": _command(step.action), "unknown": unknown}
    if isinstance(step.action, Nested):
        return {
            **common,
            "kind": "workflow",
            "workflow": step.action.workflow.stem,
            "with": {name: text.source for name, text in step.action.arguments.items()},
            "until": step.action.until.source if step.action.until else None,
            "max_rounds": step.action.max_rounds,
            "stalled": step.action.stalled,
            "steps": [_document(it) for it in planned.inner],
        }
    return {
        **common,
        "kind": "ask",
        "questions": questions_of(step, len(planned.asked)),
        "backends": planned.asked,
        "consensus": step.action.consensus if len(planned.asked) > 1 else None,
        "prompt": planned.prompt,
        "prompt_known": planned.prompt_known,
    }


def _kind(planned: PlannedStep) -> str:
    match planned.step.action:
        case Shell():
            return "command"
        case Nested(workflow=workflow):
            return f"runs the workflow {workflow.stem}"
        case Approve():
            return "waits for a person's yes"
        case Ask() as ask:
            names = ", ".join(_who(asked) for asked in planned.asked)
            if len(planned.asked) == 1:
                return f"asks {names}"
            if synthesises(planned.step, len(planned.asked)):
                return f"asks {names}, synthesis by {ask.synthesizer or 'the first that answers'}"
            if ask.consensus is Strategy.ALL and planned.step.output_format is not Format.FINDINGS:
                return f"asks {names}; each answer is kept"
            if ask.consensus in (Strategy.SYNTHESIS, Strategy.ALL):
                return f"asks {names}; what they find is put together"
            return f"asks {names}, {ask.consensus}"


def _who(asked: PlannedBackend) -> str:
    about = "; ".join(filter(None, ["auto" if asked.auto else "", asked.why, asked.problem]))
    return f"{asked.backend} ({about})" if about else asked.backend


def _conditions(step: Step, written: Mapping[str, str]) -> Iterator[str]:
    if step.needs:
        yield f"after {', '.join(dict.fromkeys(written.get(need, need) for need in step.needs))}"
    if step.placement is not None:
        yield f"its command at {step.placement.words}"
    if step.when is not None:
        yield f"when {step.when.source.strip()}"
    if step.for_each is not None:
        source = step.for_each.expression.source.strip() if step.for_each.expression else ""
        yield f"for each of {source or f'{len(step.for_each.inline)} items'}"
    if isinstance(step.action, Nested) and step.action.until is not None:
        yield f"until {step.action.until.source.strip()}, at most {_many(step.action.max_rounds, 'round')}"
    if step.retries:
        again = _many(step.retries, "retry", "retries")
        yield f"if an attempt fails: {again}, the first after {step.retry_delay:g} s"
    if isinstance(step.action, Ask):
        yield from _consequences(step.action, "its form" if step.is_ruling else "that")
    for condition in step.asserts:
        yield f"assert {condition.source.strip()}"


def _options(asked: Sequence[PlannedBackend]) -> Iterator[str]:
    """The options of the answers: once where all have the same, else those of each."""
    said = {one.backend: in_words(one.options) for one in asked}
    if len({*said.values()}) > 1:
        yield from (f"options of {name}: {words}" for name, words in said.items() if words)
    elif any(said.values()):
        yield f"options {next(iter(said.values()))}"


def _consequences(ask: Ask, checked: str) -> Iterator[str]:
    if ask.instructions:
        yield f"with the instructions of {', '.join(it.path for it in ask.instructions)}"
    if ask.repeat > 1:
        yield f"{ask.repeat} times"
    if ask.apply_edits:
        yield "edits files as the answer says"
    if ask.verify is not None:
        yield f"verify {ask.verify.source.strip()}"
    elif ask.verify_preset:
        detected = "what the project uses" if ask.verify_preset == "true" else ask.verify_preset
        yield f"verify with the checks of {detected}"
    if ask.fix_retries:
        yield f"asked again {_many(ask.fix_retries, 'time')} if {checked} does not hold"


def _text(planned: PlannedStep, whole: bool) -> Iterator[str]:
    action = planned.step.action
    if isinstance(action, Approve):
        yield from (f"  {line}" for line in action.question.source.strip().split("\n"))
        return
    if isinstance(action, Shell):
        yield from (f"  {line}" for line in _command(action).strip().split("\n"))
        yield from _unknown(action)
        return
    if isinstance(action, Nested):
        yield from (f"  with {name} = {text.source}" for name, text in action.arguments.items())
        for inner in planned.inner:
            yield f"  {inner.step.name}: {_kind(inner)}"
            written = {it.step.name: it.step.written_name for it in planned.inner}
            told = (*_conditions(inner.step, written), *_options(inner.asked), *_text(inner, whole))
            yield from (f"    {line}" for line in told)
        return
    if not planned.prompt_known:
        yield "prompt, filled in when what it reads is there:"
    lines = planned.prompt.strip().split("\n")
    shown = lines if whole else lines[:_PROMPT_LINES]
    yield from (f"  {line}" for line in shown)
    if len(shown) < len(lines):
        yield f"  … {len(lines) - len(shown)} more lines (-v shows them)"


def _unknown(action: Shell) -> Iterator[str]:
    """What to look up: commands that get values, and of which it is not known that they run none."""
    for name in action.shell.unknown_commands if action.shell else ():
        yield f"lok does not know `{name}`, which gets values: make sure that it runs none of its arguments"


def _command(action: Shell) -> str:
    return " ".join(part.source for part in action.argv) if action.shell is None else action.shell.source


def _many(number: int, what: str, plural: str = "") -> str:
    return f"{number} {what if number == 1 else plural or f'{what}s'}"
