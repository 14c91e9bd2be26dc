"""A step's text -> its value in the declared format, and how that violates the declared schema."""

from __future__ import annotations

from pytest_lok.core.extract import parse_output
from pytest_lok.core.model import Format
from pytest_lok.core.program import LIGHT
from pytest_lok.core.results import Json
from pytest_lok.engine.evaluation import Left, evaluated
from pytest_lok.engine.record import Record


async def read(record: Record, text: str, form: Format, *, alone: bool = False) -> tuple[Json, list[str]]:
    """The value and its violations; OutputError where the text has not the format, ``alone`` or in prose.

    A schema's patterns, and long texts, can take long: that goes on elsewhere, for as long as the step may.
    """
    schema = record.step.output_schema
    if schema is None and len(text) <= LIGHT:
        return parse_output(text, form, material=record.material), []

    def work(left: Left) -> tuple[Json, list[str]]:
        from pytest_lok.core.schema import violations  # brings a library that most runs do not need

        value = parse_output(text, form, alone=alone, material=record.material)
        return value, [] if schema is None else violations(schema, value, left=left)

    what = "reading the output" if schema is None else "the check by output_schema"
    return await evaluated(work, record.context.limit(record.step), what)
