"""Findings whose quotes are nowhere -> the question about them, and what its answer says of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from pytest_lok.core.answers.feedback import quoted
from pytest_lok.core.answers.output_format import parse_output
from pytest_lok.core.findings.reading import LINE, line_span, text_schema
from pytest_lok.core.results import Finding, Json
from pytest_lok.core.workflow.json_schema import violations
from pytest_lok.core.workflow.model import Format
from pytest_lok.errors import OutputError

_NUMBER: Json = {"type": "integer", "minimum": 1}
_WITHDRAWN: Json = {
    "required": ["withdrawn"],
    "properties": {"number": _NUMBER, "withdrawn": {"const": True}},
    "additionalProperties": False,
}
_PLACE: Json = {
    "required": ["path", "line", "evidence"],
    "properties": {
        "number": _NUMBER, "path": text_schema(20_000), "line": LINE, "end_line": LINE,
        "evidence": text_schema(20_000),
    },
    "additionalProperties": False,
}  # fmt: skip


def correction_prompt(
    prompt: str, answer: str, findings: Sequence[Finding], *, failed: str | None = None
) -> str:
    """The prompt again, with the answer to it and those of its findings that quote what is nowhere.

    ``failed`` says what was wrong with the correction before; None = this is the first one, and only that may
    withdraw a finding. "" = it could be read, and its quotes are nowhere either.
    """
    listed = "\n\n".join(
        "\n   > ".join((f"{number}. {it.headline} ({it.doubt})", *it.evidence.split("\n")))
        for number, it in enumerate(findings, 1)
    )
    if failed is not None:
        why = "Your last correction did not help"
        why += f". What was wrong with it is quoted here, as data:\n\n{quoted(failed)}" if failed else "."
        return (
            f"{prompt}\n\nYour answer was, quoted as data:\n\n{quoted(answer)}\n\n{why}\n\n"
            f"What these findings quote could not be found:\n\n{listed}\n\n"
            "Give the place of each of them, and of no other. Answer with a JSON array and nothing else, one "
            'object for each number: {"number": 1, "path": "...", "line": 1, "evidence": "..."} with path '
            "and quote letter by letter as they are there. Leave out a number whose place you do not know."
        )
    return (
        f"{prompt}\n\nYour answer was:\n\n{answer}\n\n"
        f"What these findings of it quote could not be found:\n\n{listed}\n\n"
        "Look again at each of them, and at no other. Answer with a JSON array and nothing else, one object "
        'for each number: {"number": 1, "path": "...", "line": 1, "evidence": "..."} with path '
        'and quote letter by letter as they are there, or {"number": 1, "withdrawn": true} if there is none.'
    )


def read_corrections(
    answer: str, count: int, *, may_withdraw: bool = True
) -> list[Callable[[Finding], Finding]]:
    """What the answer makes of each of ``count`` findings, in order; OutputError if it cannot be read so.

    One that the answer does not speak of stays as it is. Nothing but its place can be changed.
    """
    entries = parse_output(answer, Format.JSON_ARRAY, alone=True)
    kinds: list[Json] = [_PLACE, *([_WITHDRAWN] if may_withdraw else [])]
    if violations(
        {"type": "array", "items": {"type": "object", "required": ["number"], "oneOf": kinds}}, entries
    ):
        what = "each entry needs a number with path, line and evidence"
        what += ", or with withdrawn" if may_withdraw else ", and nothing can be withdrawn any more"
        raise OutputError(f"the answer corrects nothing: {what}")
    found: list[Callable[[Finding], Finding]] = [lambda finding: finding] * count
    numbers = set[int]()
    for entry in cast("list[dict[str, Any]]", entries):
        number = int(entry["number"])
        if number in numbers or number > count:
            raise OutputError(
                f"the answer speaks of finding {number}, which was not asked for or is there twice"
            )
        numbers.add(number)
        found[number - 1] = partial(_corrected, entry)
    return found


def _corrected(entry: Mapping[str, Any], finding: Finding) -> Finding:
    if entry.get("withdrawn"):
        return replace(finding, withdrawn=True)
    line, end_line = line_span(entry)
    return replace(
        finding,
        path=entry["path"],
        line=line,
        end_line=end_line,
        evidence=entry["evidence"].strip("\r\n"),
    )
