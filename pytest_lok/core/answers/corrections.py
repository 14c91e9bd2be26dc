"""Findings whose quotes are nowhere -> the question about them, and what its answer says of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from pytest_lok.core.answers.output_format import parse_output
from pytest_lok.core.findings.reading import LINE, line_span, text_schema
from pytest_lok.core.results import Finding, Json
from pytest_lok.core.workflow.json_schema import violations
from pytest_lok.core.workflow.model import Format
from pytest_lok.errors import OutputError

_NUMBER: Json = {"type": "integer", "minimum": 1}
_ENTRIES: Mapping[str, Json] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["number"],
        "oneOf": [
            {
                "required": ["withdrawn"],
                "properties": {"number": _NUMBER, "withdrawn": {"const": True}},
                "additionalProperties": False,
            },
            {
                "required": ["path", "line", "evidence"],
                "properties": {
                    "number": _NUMBER, "path": text_schema(20_000), "line": LINE, "end_line": LINE,
                    "evidence": text_schema(20_000),
                },
                "additionalProperties": False,
            },
        ],
    },
}  # fmt: skip


def correction_prompt(prompt: str, answer: str, findings: Sequence[Finding]) -> str:
    """The prompt again, with the answer to it and those of its findings that quote what is nowhere."""
    listed = "\n\n".join(
        "\n   > ".join((f"{number}. {it.headline} ({it.doubt})", *it.evidence.split("\n")))
        for number, it in enumerate(findings, 1)
    )
    return (
        f"{prompt}\n\nYour answer was:\n\n{answer}\n\n"
        f"What these findings of it quote could not be found:\n\n{listed}\n\n"
        "Look again at each of them, and at no other. Answer with a JSON array and nothing else, one object "
        'for each number: {"number": 1, "path": "...", "line": 1, "evidence": "..."} with path '
        'and quote letter by letter as they are there, or {"number": 1, "withdrawn": true} if there is none.'
    )


def read_corrections(answer: str, count: int) -> list[Callable[[Finding], Finding]]:
    """What the answer makes of each of ``count`` findings, in order; OutputError if it cannot be read so.

    One that the answer does not speak of stays as it is. Nothing but its place can be changed.
    """
    entries = parse_output(answer, Format.JSON_ARRAY, alone=True)
    if violations(_ENTRIES, entries):
        what = "each entry needs a number with path, line and evidence, or with withdrawn"
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
