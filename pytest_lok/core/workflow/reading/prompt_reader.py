"""`prompt` and `system` of a step, or the files that they stand in → Template, with what these include."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.core.templates.template import Template
from pytest_lok.core.text.inclusion import MAX_INSTRUCTIONS, Inclusion, NamedText
from pytest_lok.core.toml.positions import span_of
from pytest_lok.errors import Fault, Problem, SourceError, UsageError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.reading.step_keys import StepKeys


def read_prompt(keys: StepKeys, key: str) -> Template | None:
    """The text of `prompt` or `system`, or of the file named instead; None if there is none to use."""
    written = getattr(keys.document, key)
    name = None if keys.is_blank(f"{key}_file") else getattr(keys.document, f"{key}_file")
    if name is not None and not keys.is_blank(key):
        keys.report(
            f"a step has `{key}` or `{key}_file`, not both",
            f'a file can be put into a text: {{% include "{name}" %}}',
            f"{key}_file",
            key=True,
        )
        return None
    # nearly all texts stand in the file, and include nothing
    if name is None and "{%" not in (written or ""):
        return keys.text(Template.parse, written, keys.inner_names, key)
    fetch = keys.context.prompts
    try:
        text = NamedText(text=written) if name is None else fetch(name)
    except UsageError as unknown:
        keys.report(unknown.message, unknown.hint, f"{key}_file")
        return None
    return _composed(keys, key, Inclusion(text, fetch))


def read_instructions(keys: StepKeys) -> tuple[NamedText, ...]:
    """The files of `instructions`, as they are written; what is wrong with one is reported."""
    found: dict[str, NamedText] = {}
    for at, name in enumerate(keys.document.instructions or ()):
        try:
            found[name] = keys.context.instructions(name)
        except UsageError as unknown:
            keys.report(unknown.message, unknown.hint, "instructions", at)
    if sum(len(it.text) for it in found.values()) > MAX_INSTRUCTIONS:
        keys.report(
            f"the instructions have more than {MAX_INSTRUCTIONS:,} characters",
            "shorten them: the model reads all of them with each question",
            "instructions",
            key=True,
        )
    return tuple(found.values())


def _composed(keys: StepKeys, key: str, inclusion: Inclusion) -> Template | None:
    try:
        template = Template.composed(inclusion, keys.inner_names)
    except SourceError as error:
        for fault in error.faults:
            _report(keys, key, inclusion, fault)
        return None
    path = keys.at(key if key in keys.written else f"{key}_file")
    keys.note(template, path, lambda fault: keys.file.report(path, fault.message, fault.hint))
    return template


def _report(keys: StepKeys, key: str, inclusion: Inclusion, fault: Fault) -> None:
    """Report a fault where it stands: in the file of the workflow, or in one of those that are put in."""
    piece = inclusion.piece_at(fault.start)
    fault = fault.shifted(-piece.start)
    if not piece.named.path:
        keys.file.report_inside(keys.at(key), fault)
        return
    spot = span_of(piece.named.text, fault.start, max(fault.end, fault.start + 1))
    # what a name means depends on the step that asks
    asking = f"step `{keys.name}` of {keys.file.source.path} asks it"
    keys.file.problems.append(
        Problem(
            path=piece.named.path,
            line=spot.line,
            column=spot.column,
            message=fault.message,
            hint=f"{fault.hint}; {asking}" if fault.hint else asking,
            excerpt=spot.excerpt,
            length=spot.length,
        )
    )
