"""The keys of a step that asks -> Ask: whom, how several answers become one, what is done with it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from pytest_lok.core.asking.path_patterns import is_pattern, pattern_problem
from pytest_lok.core.asking.tools import ANSWER, Tool
from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.template import Template
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml import fields
from pytest_lok.core.workflow.model import AUTO, EVERYBODY, Ask, Format, Strategy
from pytest_lok.core.workflow.reading.option_reader import read_options
from pytest_lok.core.workflow.reading.prompt_reader import read_instructions, read_prompt
from pytest_lok.core.workflow.step_document import VERIFY_PRESETS, AnyStep
from pytest_lok.errors import Fault, SourceError
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.templates.condition import Condition
    from pytest_lok.core.workflow.reading.step_keys import StepKeys

_COMMON_KEYS = fields.keys(AnyStep) | {
    "prompt",
    "system",
    "model",
    "backend",
    "backends",
    "prompt_file",
    "system_file",
}
_CONSENSUS_KEYS = ("consensus", "quorum", "vote_on", "weights", "synthesizer")
_STRATEGIES_OF = {
    # a fallback needs one answer
    "quorum": tuple(strategy for strategy in Strategy if strategy is not Strategy.FALLBACK),
    "vote_on": (Strategy.VOTE, Strategy.WEIGHTED_VOTE),
    "weights": (Strategy.WEIGHTED_VOTE,),
    "synthesizer": (Strategy.SYNTHESIS,),
}
_STRATEGIES_FOR_ANY = ("all", "fallback", "first")
_BETWEEN_COMMAS = late_regex(r"[^,\s](?:[^,]*[^,\s])?")
_TOOL_NAME = late_regex(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_NO_VERIFY = (None, False, "", "false")


def read_ask(keys: StepKeys) -> Ask | None:
    """The question its keys say; None where there is no usable prompt."""
    document = keys.document
    backends, usual = _expand_roles(keys, _backends(keys))
    strategy = Strategy(document.consensus) if document.consensus else usual
    # nearly all steps have none of the other keys, and a file may have a thousand steps
    if not keys.written.keys() <= _COMMON_KEYS:
        _check_uncommon_keys(keys, backends, strategy)
    if keys.reports_findings:
        _check_findings(keys, backends, strategy)
    elif strategy is Strategy.ALL:
        _check_kept_answers(keys)
    verify, preset = _verify(keys)
    prompt, system, instructions = (
        read_prompt(keys, "prompt"),
        read_prompt(keys, "system"),
        read_instructions(keys),
    )
    attach, attach_from = _attachments(keys)
    options = read_options(keys, backends) if keys.document.options else {}
    if prompt is None:
        return None
    return Ask(
        prompt=prompt,
        attach=attach,
        attach_from=attach_from,
        backends=backends,
        model=document.model or "",
        system=system,
        options=options,
        instructions=instructions,
        consensus=strategy,
        quorum=document.quorum,
        vote_on=document.vote_on or "",
        weights=document.weights or {},
        synthesizer=document.synthesizer or "",
        apply_edits=document.apply_edits,
        tools=tuple(Tool(name=name, description=said) for name, said in (document.tools or {}).items()),
        verify=verify,
        verify_preset=preset,
        fix_retries=document.fix_retries,
        allow_empty=document.allow_empty,
        allow_paths=tuple(document.allow_paths or ()),
        rollback=document.rollback,
        repeat=document.repeat,
        required_passes=document.pass_,
    )


def _attachments(keys: StepKeys) -> tuple[tuple[Template, ...], Condition | None]:
    """The files to attach: a template for each path, or the expression that lists them."""
    value = keys.document.attach
    if isinstance(value, str):
        return (), keys.condition(value, keys.inner_names, "attach", decides=False)
    for at, path in enumerate(value or ()):
        _check_pattern(keys, path, at)
    texts = [
        keys.text(Template.parse, path, keys.inner_names, "attach", at) for at, path in enumerate(value or ())
    ]
    return tuple(text for text in texts if text is not None), None


def _check_pattern(keys: StepKeys, path: str, at: int) -> None:
    """A pattern is the author's alone: what a value has in it is part of a name."""
    if not is_pattern(path):
        return
    if "{{" not in path and "{%" not in path:
        if problem := pattern_problem(path):
            keys.report(problem, "`*` and `?` stay within one part of the path", "attach", at)
    elif any(is_pattern(text) for text in _texts_between_tags(path)):
        keys.report(
            "a pattern holds no placeholder: its value could be another pattern",
            'a step before can list the files: attach = "steps.NAME.output | lines"',
            "attach",
            at,
        )


def _texts_between_tags(path: str) -> list[str]:
    from pytest_lok.core.templates.lexer import split_tags

    try:
        return [part.text for part in split_tags(path) if part.kind == "text"]
    except SourceError:  # reported where the text is compiled
        return []


def _check_uncommon_keys(keys: StepKeys, backends: tuple[str, ...], strategy: Strategy) -> None:
    """The rules about keys that few steps have."""
    if len(backends) > 1 or EVERYBODY in backends:
        _check_consensus(keys, backends, strategy)
    # a key that could not be read says nothing about how many are asked
    elif not keys.had_type_error("backend") and not keys.had_type_error("backends"):
        _check_single_backend(keys, backends)
    _check_edits(keys, strategy)
    _check_repetition(keys)
    if keys.document.tools is not None:
        _check_tools(keys, backends)


def _backends(keys: StepKeys) -> tuple[str, ...]:
    is_blank = keys.is_blank("backends")
    if not is_blank and not keys.is_blank("backend"):
        keys.report("`backend` and `backends` mean the same", "keep one", "backends", key=True)
    key = "backend" if is_blank else "backends"
    value = (keys.document.backend if is_blank else keys.document.backends) or []
    if isinstance(value, str):
        texts = [(value, keys.at(key))]
    else:
        texts = [(text, keys.at(key, at)) for at, text in enumerate(value)]
    names: list[str] = []
    for text, path in texts:
        for found in _BETWEEN_COMMAS.finditer(text):
            if fault := _backend_fault(keys, found, names):
                keys.file.report_inside(path, fault)
            names.append(found[0])
    for whole in {AUTO, EVERYBODY}.intersection(names) if len(names) > 1 else ():
        keys.report(f'"{whole}" chooses by itself and stands alone', "remove it, or the others", key)
    # only commas and blanks
    if value and not names:
        keys.report(f"`{key}` names nobody", 'leave it out, or write "auto"', key)
    return tuple(names)


def _expand_roles(keys: StepKeys, names: tuple[str, ...]) -> tuple[tuple[str, ...], Strategy]:
    """The backends behind the names, and how they agree: a role that stands alone has a say in it."""
    roles = keys.context.roles
    # beside other names nobody could say whose consensus counts
    alone = roles.get(",".join(names))
    backends = dict.fromkeys(
        backend
        for name in (names or [""])
        for backend in (roles[name].backends if name in roles else filter(None, [name]))
    )
    return tuple(backends), (alone and alone.consensus) or Strategy.SYNTHESIS


def _backend_fault(keys: StepKeys, found: re.Match[str], before: Collection[str]) -> Fault | None:
    name = found[0]
    if name in before:
        message, hint = f"backend `{name}` stands here twice", "remove one"
    elif keys.is_known_backend(name) or name in keys.context.roles:
        return None
    else:
        message, hint = (f"there is no backend `{name}`", keys.unknown_backend_hint(name, keys.context.roles))
    return Fault(message=message, start=found.start(), end=found.end(), hint=hint)


def _check_single_backend(keys: StepKeys, backends: tuple[str, ...]) -> None:
    asks = f"asks only `{backends[0]}`" if backends else "names none"
    # whom the user or the settings name may be several, of whom one is enough; one alone is no vote
    free = () if backends or keys.document.consensus not in _STRATEGIES_FOR_ANY else ("consensus",)
    for key in _CONSENSUS_KEYS:
        if key in keys.written and key not in free:
            keys.report(
                f"`{key}` is about several backends, and this step {asks}",
                'name them: backends = ["claude", "codex"]',
                key,
                key=True,
            )


def _check_consensus(keys: StepKeys, backends: tuple[str, ...], strategy: Strategy) -> None:
    document = keys.document
    if EVERYBODY in backends:
        _check_everybody(keys, strategy)
        backends = tuple(keys.context.backends or ())
    for key, strategies in _STRATEGIES_OF.items():
        if key in keys.written and strategy not in strategies and not keys.had_type_error("consensus"):
            keys.report(
                f'`{key}` has no meaning with consensus = "{strategy}"',
                f'it goes with consensus = "{strategies[0]}"',
                key,
                key=True,
            )
    if document.vote_on:
        keys.require_object("`vote_on` names a field of an object", "vote_on")
    if isinstance(document.quorum, int) and document.quorum > len(backends):
        keys.report(
            f"`quorum` is {document.quorum}, but only {len(backends)} backends are asked",
            'a smaller number, "majority" or "all"',
            "quorum",
        )
    # a name with a slip in it would leave a backend at its usual weight
    for name in (document.weights or {}).keys() - set(backends):
        keys.report(
            f"`weights` names `{name}`, which is not asked",
            did_you_mean(name, backends) or f"asked are: {', '.join(backends)}",
            "weights",
            name,
            key=True,
        )
    judge = document.synthesizer
    if judge is not None and (judge == AUTO or not keys.is_known_backend(judge)):
        keys.report(f"there is no backend `{judge}`", keys.unknown_backend_hint(judge), "synthesizer")


def _check_everybody(keys: StepKeys, strategy: Strategy) -> None:
    if strategy in (Strategy.VOTE, Strategy.WEIGHTED_VOTE):
        keys.report(
            f'consensus = "{strategy}" counts named backends, and nobody knows how many "all" are',
            'name them: backends = ["claude", "codex"]',
            "consensus",
        )


def _check_tools(keys: StepKeys, backends: tuple[str, ...]) -> None:
    """What a model may call has a name that every API takes, and one backend decides."""
    document = keys.document
    if not document.tools:
        keys.report("`tools` offers nothing", 'tools = { ask_codex = "asks another model" }', "tools")
    for name, said in (document.tools or {}).items():
        if not _TOOL_NAME.fullmatch(name) or name == ANSWER:
            keys.report(
                f"a tool cannot be called {name!r}",
                f"letters, digits and _, at most 60, and not `{ANSWER}`, which is the answer itself",
                "tools",
                name,
                key=True,
            )
        if not said.strip():
            keys.report(f"the tool `{name}` has no description", "say what it is for", "tools", name)
    if len(backends) > 1 or EVERYBODY in backends:
        keys.report("`tools` needs one backend, and this step asks several", "name one", "tools", key=True)
    for other in ("output_schema", "output_format", "apply_edits"):
        if not keys.is_blank(other):
            keys.report(
                f"an answer that may call tools has a form of its own, which `{other}` cannot change",
                "take one of the two out",
                other,
                key=True,
            )


def _check_kept_answers(keys: StepKeys) -> None:
    """Texts that stand side by side are neither JSON nor edits."""
    document = keys.document
    if document.apply_edits or document.output_schema is not None or keys.format() is not Format.TEXT:
        keys.report(
            'consensus = "all" keeps every answer as text, and this step needs one value',
            'consensus = "synthesis", "first" or "fallback"',
            "consensus",
        )


def _check_findings(keys: StepKeys, backends: tuple[str, ...], strategy: Strategy) -> None:
    """Several backends' findings are merged one by one, and a gate counts who reports each."""
    document, gate = keys.document, keys.context.gate
    if len(backends) > 1 and strategy in (Strategy.VOTE, Strategy.WEIGHTED_VOTE):
        keys.report(
            f'consensus = "{strategy}" compares whole answers, and findings are compared one by one',
            'consensus = "synthesis"; `quorum` below [gate] says how many must report a finding',
            *(["consensus"] if document.consensus else []),
        )
    if document.synthesizer:
        keys.report(
            "`synthesizer` has nothing to do: findings are merged without another question",
            "remove it",
            "synthesizer",
            key=True,
        )
    # with these strategies only one answer is read, however many are asked
    asked = 1 if strategy.takes_one else len(backends)
    for key in ("quorum", "min_backends"):
        wanted = getattr(gate, key, None)
        if backends and isinstance(wanted, int) and wanted > asked:
            one_answer = "takes the first answer" if len(backends) > 1 else f"asks only `{backends[0]}`"
            keys.report(
                f"`{key}` below [gate] is {wanted}, and this step "
                + (f"asks {asked} backends" if asked > 1 else one_answer),
                "ask more backends, or lower it",
            )


def _check_edits(keys: StepKeys, strategy: Strategy) -> None:
    document = keys.document
    idle = {
        "allow_empty": document.allow_empty,
        "allow_paths": bool(document.allow_paths),
        "rollback": not document.rollback,
    }
    for key in [key for key in idle if idle[key] and not document.apply_edits]:
        keys.report(
            f"`{key}` is about edits, and this step applies none", "apply_edits = true", key, key=True
        )
    judged = document.verify not in _NO_VERIFY or document.assert_
    checked = document.apply_edits or document.vote_on or (judged and not strategy.is_vote)
    # JSON that is broken is asked for again, and text can be anything
    if document.fix_retries and not checked and keys.format() is Format.TEXT:
        is_final = judged and strategy.is_vote
        keys.report(
            "`fix_retries` asks again about an answer that fails a check, and this step has none"
            + (" but those of what the vote says, which is final" if is_final else ""),
            "`retries` repeats a question that could not be answered",
            "fix_retries",
            key=True,
        )
    if document.apply_edits:
        keys.require_object("`apply_edits` needs an object that holds `edits`", "apply_edits")


def _check_repetition(keys: StepKeys) -> None:
    document = keys.document
    # each answer was made for the files as they were before the others
    if document.apply_edits and document.repeat > 1:
        keys.report(
            "`repeat` asks for several answers, and the edits of only one can be applied",
            "`fix_retries` asks again after edits that do not hold",
            "repeat",
            key=True,
        )
    if document.pass_ is not None and document.pass_ > document.repeat:
        keys.report(
            f"`pass` is {document.pass_}, but `repeat` asks {document.repeat} times",
            "at most as many as `repeat`",
            "pass",
        )


def _verify(keys: StepKeys) -> tuple[ShellTemplate | None, str]:
    """A command, or the name of a preset; neither = off."""
    verify = keys.document.verify
    if isinstance(verify, str) and verify and not re.sub(r"(?m)^\s*#.*$", "", verify).strip():
        keys.report("`verify` holds no command", "write a command, or `verify = false` for none", "verify")
    # a common slip, taken as it is meant and told
    if verify == "false":
        hint = "write `verify = false`, without quotes, if nothing is to verify the answer"
        fault = Fault(message='"false" switches `verify` off', start=0, end=len(verify), hint=hint)
        keys.file.warn_inside(keys.at("verify"), fault)
    if verify in _NO_VERIFY:
        return None, ""
    if not isinstance(verify, str) or verify in ("true", *VERIFY_PRESETS):
        return None, str(verify).lower()
    return keys.text(ShellTemplate.parse, verify, keys.inner_names, "verify"), ""
