"""An ask step: one prompt to one or several backends, and the one answer that comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_lok.core.answers.consensus import ParsedReply, ballot, synthesis_prompt, vote
from pytest_lok.core.asking.attachments import attachment
from pytest_lok.core.asking.tools import indecision
from pytest_lok.core.edits.edits import EDITS_HINT, parse_edits
from pytest_lok.core.findings.reading import findings_request
from pytest_lok.core.results import Reply, Verdict
from pytest_lok.core.workflow.json_schema import instruction
from pytest_lok.core.workflow.model import EVERYBODY, Ask, Format, Strategy, needed_replies
from pytest_lok.engine.asking.attachments import (
    Attachments,
    attached_files,
    attached_names,
    attachment_paths,
)
from pytest_lok.engine.asking.backend_call import (
    ask_and_read,
    record_refusal,
    require_backend,
    resolve_backends,
)
from pytest_lok.engine.asking.material import check_files, check_material
from pytest_lok.engine.asking.output import is_quoting, read_output
from pytest_lok.engine.evaluation import evaluate
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault, OutputError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.asking.images import Image
    from pytest_lok.core.templates.scope import Scope
    from pytest_lok.engine.execution import StepExecution


_INSTRUCTIONS = "Follow the instructions of this project:"


async def run_ask(execution: StepExecution, action: Ask, feedback: str = "") -> None:
    """Ask the step's backends and put the answer into ``execution``; StepUnableError if too few answer.

    ``feedback`` says what was wrong with the previous answer; "" = this is the first attempt.
    """
    scope = execution.scope()
    texts = await evaluate(execution, scope, [action.prompt, action.system], partial(_render, action))
    text, system, execution.material = texts
    images: tuple[Image, ...] = ()
    if action.attach or action.attach_from is not None:
        files = await _attached(execution, action, scope)
        images = files.images
        if not feedback and not images:
            check_files(execution, files.texts, _naming_steps(action))
        text, execution.material = f"{text}\n\n{files}", f"{execution.material}\n{files}"
    # Another attempt at the same task has the same material, which was checked before.
    if not feedback:
        await check_material(execution, action.prompt)
    if execution.step.output_schema is not None and not action.tools:
        text = f"{text}\n\n{instruction(execution.step.output_schema)}"
    if execution.step.output_format is Format.FINDINGS:
        text = f"{text}\n\n{findings_request(execution.context.plan.workflow.rules)}"
    if feedback:
        text = f"{text}\n\n{feedback}"
    prompt = Prompt(text=text, system=system, model=action.model, sample=execution.sample, images=images)
    keeps_all = action.consensus is Strategy.ALL
    names = resolve_backends(execution, action.backends, action.prompt.source, keeps_all=keeps_all)
    _require_images(execution, action, names, images)
    execution.asked, execution.question = tuple(names), prompt
    if len(names) == 1:
        answer = await _ask_one(execution, action, names[0], prompt)
        execution.replies.append(answer.reply)
        execution.reported = {names[0]: answer.data}
    else:
        answer = await _ask_several(execution, action, names, prompt)
    execution.output, execution.data, execution.has_data = answer.reply.text, answer.data, answer.has_data
    execution.quoting = not answer.has_data and await is_quoting(execution, answer.reply.text)


def _render(action: Ask, scope: Scope) -> tuple[str, str, str]:
    """The prompt, the system prompt, and the text of both that an answer may quote."""
    text = action.prompt.render(scope)
    system = action.system.render(scope) if action.system else ""
    own = action.system.without_author_json(scope, system) if action.system else ""
    # instructions are quoted as other files are
    house = "\n\n".join(attachment(it.path, it.text) for it in action.instructions)
    if house:
        system = "\n\n".join(filter(None, [system, f"{_INSTRUCTIONS}\n\n{house}"]))
    return text, system, f"{own}\n{house}\n{action.prompt.without_author_json(scope, text)}"


async def _attached(execution: StepExecution, action: Ask, scope: Scope) -> Attachments:
    """What the step attaches, read on a thread: there may be many files."""
    names = await attached_names(action, execution.context.world.workspace)
    paths = await evaluate(
        execution, scope, [*action.attach, action.attach_from], partial(attachment_paths, action, names=names)
    )
    return await asyncio.to_thread(attached_files, paths, execution.context.world.workspace)


def _require_images(
    execution: StepExecution, action: Ask, names: Sequence[str], images: Sequence[Image]
) -> None:
    """StepUnableError where somebody who will be asked takes no images; nobody has been asked by then."""
    if not images:
        return
    synthesises = action.consensus is Strategy.SYNTHESIS and len(names) > 1 and action.synthesizer
    backends = execution.context.world.backends
    asked = [
        backends[name]
        for name in [*names, *([action.synthesizer] if synthesises else [])]
        if name in backends
    ]
    # what else is wrong with one is told when it is asked
    blind = [it.name for it in asked if it.unavailable() is None and not getattr(it, "takes_images", False)]
    if blind:
        raise StepUnableError(
            f"{images[0].path} is an image, and {' and '.join(dict.fromkeys(blind))} cannot be shown any",
            hint="ask claude, codex, an API, or another backend that takes images",
        )


def _naming_steps(action: Ask) -> frozenset[str]:
    """The steps that say which files are attached."""
    named = [path.steps for path in action.attach]
    return frozenset().union(*named, action.attach_from.steps if action.attach_from else ())


async def _ask_one(execution: StepExecution, action: Ask, name: str, prompt: Prompt) -> ParsedReply:
    try:
        return await _valid_answer(execution, action, name, prompt)
    except StepUnableError as failure:
        record_refusal(execution, name, failure)
        raise


async def _ask_several(
    execution: StepExecution, action: Ask, names: Sequence[str], prompt: Prompt
) -> ParsedReply:
    """One answer out of many, by the step's strategy; ``execution.verdict`` says how it was chosen."""
    quorum, cut = _quorum(execution, action, len(names)), None
    if action.consensus is Strategy.FALLBACK:
        answers = await _answer_in_turn(execution, action, names, prompt)
    else:
        enough = quorum if action.consensus is Strategy.FIRST else len(names)
        answers, cut = await _gather_answers(execution, action, names, prompt, enough=enough)
    execution.replies += [answer.reply for answer in answers]
    # too few for a verdict, and yet what they say counts: a finding may block whoever else was lost
    execution.reported = {answer.reply.backend: answer.data for answer in answers}
    if cut is not None:
        raise cut
    if len(answers) < quorum:
        raise _too_few_answers(execution, len(answers), quorum, len(names))
    match action.consensus:
        case Strategy.FIRST | Strategy.FALLBACK:
            answer, verdict = answers[0], _single_verdict(execution, action.consensus, answers[0].reply)
            answers, execution.asked = [answer], (answer.reply.backend,)
        case _ if execution.step.output_format is Format.FINDINGS:
            answer, verdict = answers[0], _merged_verdict(answers)
        case Strategy.ALL:
            answer, verdict = _all_answers(answers)
        case Strategy.SYNTHESIS:
            answer, verdict = await _synthesise(execution, action, answers, prompt)
        case Strategy.VOTE | Strategy.WEIGHTED_VOTE:
            answer, verdict = _count_ballots(execution, action, answers, names, quorum)
    execution.verdict = verdict
    if action.consensus.takes_one:
        execution.reported = {answer.reply.backend: answer.data}
    return answer


def _quorum(execution: StepExecution, action: Ask, asked: int) -> int:
    """How many of those asked must answer; of answers that are all kept, all whom somebody has named."""
    if action.consensus is Strategy.ALL and action.quorum is None:
        named = action.backends or execution.context.world.default_backends
        return 1 if not named or EVERYBODY in named else asked
    return needed_replies(action.quorum, action.consensus, asked)


def _all_answers(answers: Sequence[ParsedReply]) -> tuple[ParsedReply, Verdict]:
    """Every answer, each under its backend's name; nobody is asked to make one of them."""
    replies = [answer.reply for answer in answers]
    names = " + ".join(reply.backend for reply in replies)
    text = "\n\n".join(f"== {reply.backend} ==\n{reply.text.strip()}" for reply in replies)
    note = "" if len(replies) > 1 else f"only {names} answered"
    verdict = Verdict(strategy=Strategy.ALL.value, text=text, backend=names, note=note)
    return ParsedReply(reply=Reply(text=text, backend=names)), verdict


async def _gather_answers(
    execution: StepExecution, action: Ask, names: Sequence[str], prompt: Prompt, *, enough: int
) -> tuple[list[ParsedReply], StepUnableError | None]:
    """The first ``enough`` valid answers, in the order they came; the other calls are cancelled then.

    Where ``enough`` is everybody, the answers have the order of ``names``. Each backend without a valid
    answer becomes a refusal of ``execution``. The error is why the step has to end, as where the budget is
    spent: calls that had begun by then are paid for, and their answers are among the others.
    """
    answers: dict[str, ParsedReply] = {}
    cuts: list[StepUnableError] = []

    async def one(name: str) -> None:
        try:
            answers[name] = await _valid_answer(execution, action, name, prompt)
        except StepUnableError as failure:
            record_refusal(execution, name, failure)
            if not isinstance(failure, (OutputError, BackendError)):
                cuts.append(failure)

    tasks = [asyncio.create_task(one(name)) for name in names]
    try:
        pending = set(tasks)
        while pending and len(answers) < enough:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    given = answers if enough < len(names) else {name: answers[name] for name in names if name in answers}
    return list(given.values()), next(iter(cuts), None)


async def _answer_in_turn(
    execution: StepExecution, action: Ask, names: Sequence[str], prompt: Prompt
) -> list[ParsedReply]:
    """The first valid answer, the backends being asked one after the other; [] if nobody gives one.

    Each backend without a valid answer becomes a refusal of ``execution``; the rest are not asked.
    """
    for name in names:
        try:
            return [await _valid_answer(execution, action, name, prompt)]
        except (OutputError, BackendError) as failure:
            record_refusal(execution, name, failure)
    return []


def _valid_answer(
    execution: StepExecution, action: Ask, name: str, prompt: Prompt
) -> Coroutine[None, None, ParsedReply]:
    """A backend's answer in the declared format.

    A malformed one is asked for once more, with what is wrong.
    """
    backend, schema = require_backend(execution, name), execution.step.output_schema
    if action.options:
        prompt = replace(prompt, options=action.options_for(name))
    if action.tools and schema is not None:
        # isinstance with a runtime-checkable protocol takes longer than all the rest of a call
        if getattr(backend, "calls_tools", False):
            prompt = replace(prompt, tools=action.tools, schema=schema)
        else:
            prompt = replace(prompt, text=f"{prompt.text}\n\n{instruction(schema)}")
    return ask_and_read(execution, backend, prompt, partial(_parse_reply, execution, action))


async def _parse_reply(execution: StepExecution, action: Ask, reply: Reply) -> ParsedReply:
    step = execution.step
    form = step.output_format
    if form is Format.TEXT and (action.vote_on or action.apply_edits or step.output_schema is not None):
        form = Format.JSON
    if form is Format.TEXT:
        return ParsedReply(reply=reply)
    try:
        data, wrong = await read_output(execution, reply.text, form, alone=step.output_schema is not None)
    except OutputError as prose:
        if not action.apply_edits:
            raise
        raise OutputError(f"the answer holds no edits: {prose.message}", hint=EDITS_HINT) from None
    if wrong:
        raise OutputError(
            f"{reply.backend}'s answer does not satisfy output_schema: {'; '.join(wrong)}", output=reply.text
        )
    if action.tools and isinstance(data, dict) and (problem := indecision(data)):
        raise OutputError(problem, output=reply.text)
    if action.apply_edits:
        # raises OutputError for malformed edits here, where the backend can still be asked again
        parse_edits(data)
    return ParsedReply(reply=reply, data=data, has_data=True)


def _merged_verdict(answers: Sequence[ParsedReply]) -> Verdict:
    """The verdict over several reviews: findings are merged later, so no backend has to synthesise them."""
    names = [answer.reply.backend for answer in answers]
    note = f"what {', '.join(names)} found, together" if len(names) > 1 else f"only {names[0]} answered"
    return Verdict(strategy=Strategy.SYNTHESIS.value, text="", backend=" + ".join(names), note=note)


def _single_verdict(execution: StepExecution, strategy: Strategy, reply: Reply) -> Verdict:
    note = f"{reply.backend} answered first"
    if strategy is Strategy.FALLBACK:
        missed = ", ".join(refusal.backend for refusal in execution.refusals)
        note = f"{reply.backend} answered" + (f", after no valid answer from {missed}" if missed else "")
    return Verdict(strategy=strategy.value, text=reply.text, backend=reply.backend, note=note)


def _count_ballots(
    execution: StepExecution, action: Ask, answers: Sequence[ParsedReply], names: Sequence[str], quorum: int
) -> tuple[ParsedReply, Verdict]:
    ballots: list[tuple[str, ParsedReply]] = []
    for answer in answers:
        try:
            ballots.append((ballot(answer, action.vote_on), answer))
        except OutputError as missing:
            record_refusal(execution, answer.reply.backend, missing)
    if len(ballots) < quorum:
        raise _too_few_answers(execution, len(ballots), quorum, len(names))
    weights = dict.fromkeys(names, 1.0)
    if action.consensus is Strategy.WEIGHTED_VOTE:
        known = {**execution.context.world.weights, **action.weights}
        weights = {name: known.get(name, 1.0) for name in names}
    verdict = vote(ballots, strategy=action.consensus, quorum=action.quorum, weights=weights)
    return next(answer for _, answer in ballots if answer.reply.backend == verdict.backend), verdict


async def _synthesise(
    execution: StepExecution, action: Ask, answers: Sequence[ParsedReply], prompt: Prompt
) -> tuple[ParsedReply, Verdict]:
    """One answer that one backend makes of all. Its failure is an error, never a silent fallback."""
    sources = [answer.reply.backend for answer in answers]
    if len(answers) == 1:
        note = f"only {sources[0]} answered; there was nothing to synthesise"
        return answers[0], _synthesis_verdict(answers[0].reply, note)
    name = action.synthesizer or sources[0]
    question = synthesis_prompt(prompt.text, [answer.reply for answer in answers])
    try:
        answer = await _valid_answer(execution, action, name, replace(prompt, text=question))
    except (BackendError, OutputError) as failure:
        raise StepUnableError(
            f"the synthesis by {name} failed: {failure.message}", hint=failure.hint, output=failure.output
        ) from failure
    return answer, _synthesis_verdict(answer.reply, f"synthesised by {name} from {', '.join(sources)}")


def _synthesis_verdict(reply: Reply, note: str) -> Verdict:
    return Verdict(strategy=Strategy.SYNTHESIS.value, text=reply.text, backend=reply.backend, note=note)


def _too_few_answers(execution: StepExecution, valid: int, quorum: int, configured: int) -> StepUnableError:
    said = "; ".join(f"{refusal.backend}: {refusal.reason}" for refusal in execution.refusals)
    hint = next((refusal.hint for refusal in execution.refusals if refusal.hint), "")
    unusable = sum(refusal.kind == BackendFault.BAD_OUTPUT for refusal in execution.refusals)
    kind = OutputError if valid + unusable >= quorum else StepUnableError
    return kind(f"{valid} of {configured} backends gave a valid answer, {quorum} needed ({said})", hint=hint)
