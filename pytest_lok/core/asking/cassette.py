"""Recorded questions and answers <-> the TOML file that people review."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any

import tomli

from pytest_lok.core.results import Json
from pytest_lok.core.text.truncation import truncate
from pytest_lok.dataclass import dataclass

_HEADER = (
    "# What a step asked and was answered. Written by recording; read instead of asking. Review it like code."
)
_SHOWN_LINES, _SHOWN_WIDTH = 40, 200  # of a difference that is shown
_COMPARED_CHARACTERS = 2_000  # characters of a text, beside its lines, by which others are like it
_CANDIDATES, _COMPARED_LINES = (
    30,
    5_000,
)  # recordings, and lines of them: a diff of any two texts may take for ever


class Mode(enum.StrEnum):
    """Which questions are asked and recorded; every other one is answered by its recording, or by nobody."""

    NONE = "none"
    ONCE = "once"
    NEW = "new"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What tells one question of a step from another; ``schema`` is JSON, ``model`` the model asked for.

    ``options`` are those that the step has for its answer, as JSON; "" = it has none.
    """

    prompt: str
    backend: str
    system: str = ""
    model: str = ""
    schema: str = ""
    options: str = ""
    sample: int = 0


_sort_key = attrgetter("prompt", "backend", "system", "model", "schema", "options", "sample")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A question and its answer; ``model`` is the one that answered, "" = it did not say."""

    question: Question
    text: str
    model: str = ""


def canonical_schema(schema: Mapping[str, Json] | None) -> str:
    """A JSON Schema as text, the same for any order of its keys; "" for None."""
    return "" if schema is None else json.dumps(schema, sort_keys=True, ensure_ascii=False)


def canonical_options(options: Mapping[str, Json]) -> str:
    """Options of an answer as text, the same for any order of them; "" for none."""
    return canonical_schema(options or None)


def dumps(recordings: Iterable[Recording], rendered: dict[Recording, str] | None = None) -> str:
    """The text of the file: the same for the same recordings, in whichever order they were made.

    ``rendered`` caches the text of each recording between calls.
    """
    memo = {} if rendered is None else rendered
    blocks = [_HEADER]
    for it in sorted(recordings, key=lambda it: _sort_key(it.question)):
        if it not in memo:
            memo[it] = _recording_toml(it)
        blocks.append(memo[it])
    return "\n\n".join(blocks) + "\n"


def loads(text: str) -> list[Recording]:
    """The recordings of a file; ValueError says what is wrong with it."""
    document = tomli.loads(text)
    if document.keys() - {"recordings"}:
        raise ValueError(f"unknown: {', '.join(sorted(document.keys() - {'recordings'}))}")
    tables = document.get("recordings", [])
    if not isinstance(tables, list):
        raise ValueError("`recordings` is no array of tables")
    return [_recording(number, table) for number, table in enumerate(tables, 1)]


def difference(question: Question, recordings: Iterable[Recording]) -> str:
    """A diff between the nearest recorded question and this one, "" if none is recorded."""
    import difflib

    known = [it.question for it in recordings]
    if not known:
        return ""
    # comparing is slow, and the nearest question is of about the same length
    known = sorted(known, key=lambda it: abs(len(it.prompt) - len(question.prompt)))[:_CANDIDATES]
    nearest = max(known, key=lambda it: (_similarity(it, question), _sort_key(it)))
    before, after = (_question_toml(it).split("\n")[:_COMPARED_LINES] for it in (nearest, question))
    lines = list(difflib.unified_diff(before, after, "recorded", "asked", lineterm="", n=2))
    if not lines:
        return f"they differ after line {_COMPARED_LINES:,}"
    shown = [truncate(line, _SHOWN_WIDTH) for line in lines[:_SHOWN_LINES]]
    more = [f"… {len(lines) - _SHOWN_LINES} more lines"] if len(lines) > _SHOWN_LINES else []
    return "\n".join([*shown, *more])


def _similarity(known: Question, question: Question) -> tuple[float, bool]:
    """How alike two prompts are, by lines and by characters; then whether the same backend is asked."""
    import difflib

    lines = difflib.SequenceMatcher(
        None, known.prompt.split("\n"), question.prompt.split("\n"), autojunk=False
    )
    gist = difflib.SequenceMatcher(
        None, known.prompt[:_COMPARED_CHARACTERS], question.prompt[:_COMPARED_CHARACTERS], autojunk=False
    )
    return lines.quick_ratio() + gist.quick_ratio(), known.backend == question.backend


def _recording(number: int, table: Mapping[str, Any]) -> Recording:
    given = dict(table) if isinstance(table, dict) else {}
    answer = given.pop("answer", None)
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
        raise ValueError(f"recording {number} has no answer.text")
    wanted = {field.name: int if field.name == "sample" else str for field in fields(Question)}
    for name, value in given.items():
        if type(value) is not wanted.get(name):
            raise ValueError(f"recording {number}: `{name}` is unknown, or of the wrong type")
    if not {"backend", "prompt"} <= given.keys() or not isinstance(answer.get("model", ""), str):
        raise ValueError(f"recording {number} lacks its backend, its prompt, or a model that is text")
    return Recording(question=Question(**given), text=answer["text"], model=answer.get("model", ""))


# --- TOML, as little of it as is needed


def _recording_toml(it: Recording) -> str:
    answer = _toml_table({"model": it.model, "text": it.text})
    return f"[[recordings]]\n{_question_toml(it.question)}\n\n[recordings.answer]\n{answer}"


def _question_toml(question: Question) -> str:
    return _toml_table(asdict(question), always=("prompt",))


def _toml_table(values: Mapping[str, str | int], always: tuple[str, ...] = ("text",)) -> str:
    """Lines of TOML with sorted keys; empty values are left out."""
    lines = [
        f"{key} = {value if isinstance(value, int) else _toml_string(value)}"
        for key, value in sorted(values.items())
        if value or key in always
    ]
    return "\n".join(lines)


def _toml_string(text: str) -> str:
    """A TOML string: lines stay lines, and characters that nobody sees are escaped."""
    whole = text.encode("utf-8", "replace").decode()
    escaped = re.sub(r"[^\n\t -~]", _toml_escape, whole.replace("\\", "\\\\"))
    if "\n" not in escaped:
        return '"' + escaped.replace('"', '\\"') + '"'
    return '"""\n' + re.sub(r'"(?=""|\Z)', r"\"", escaped) + '"""'


def _toml_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0].isprintable():
        return match[0]
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
