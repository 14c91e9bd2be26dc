"""A model's text -> its answer, without what it thought first, where that can be told apart.

A tag is a quotation in a string of JSON, in backticks or quotes, or in a fence that holds its other
half. Thoughts begin where a line does, and end with their closing tag. Where the opening tag is
missing, as some servers leave it away, all before the closing tag was thought.
"""

from __future__ import annotations

import json
import re
from bisect import bisect
from collections import deque
from collections.abc import Iterator
from itertools import accumulate, islice

from pytest_lok.core.text.strict_json import decode
from pytest_lok.errors import OutputError
from pytest_lok.late_regex import late_regex

_NAMES = "think|thinking|thoughts?|reasoning|reflection|scratchpad"
_TAG = late_regex(
    rf"<(?P<end>/)?(?:[\w.-]+:)?(?:{_NAMES})(?:\s[^<>]*)?(?<!/)>"
    r"|\[(?P<end2>/)?THINK\]|◁(?P<end3>/)?think▷"
    r"|(?:<\|end\|>\s*)?(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*(?:(?P<end4>final)|analysis|commentary)"
    r"[^<]*<\|message\|>",
    re.IGNORECASE,
)


MAX_TAGS = 1_000
"""Tags that one text may hold; and brackets in it that open no JSON, before JSON is no longer looked for."""


def without_thoughts(text: str) -> str:
    """The text without its thoughts; OutputError where it has no answer, or what is thought is unclear."""
    tags = list(_tags(text))
    if not tags:
        return text
    kept, at, depth = list[str](), 0, 0
    for number, tag in enumerate(tags):
        closes = tag.lastgroup is not None
        if depth == 0:
            said = text[at : tag.start()]
            if closes and (number > 0 or not _ends_thoughts(text, tag)):
                raise _unclear(tag)
            # in the middle of a line a tag may be a word of the answer
            if not closes and said.rpartition("\n")[2].strip("\ufeff \t\r"):
                raise _unclear(tag)
            kept += [] if closes else [said]
        depth = max(0, depth - 1) if closes else depth + 1
        at = tag.end()
    if depth:
        raise OutputError(f"the answer ends within its thoughts: {tags[-1][0][:40]} has no end", hint=_HINT)
    answer = "".join([*kept, text[at:]]).strip().removeprefix("\ufeff").strip()
    if not answer:
        raise OutputError("there are thoughts, and no answer after them", hint=_HINT)
    return answer


_HINT = "ask for an answer without thoughts, and for tags that are quoted in backticks"


def _unclear(tag: re.Match[str]) -> OutputError:
    return OutputError(f"what is answer and what is thought is unclear at {tag[0][:40]}", hint=_HINT)


def _ends_thoughts(text: str, tag: re.Match[str]) -> bool:
    """Whether a closing tag without an opening one ends thoughts, and is not just mentioned in a sentence."""
    line = text[: tag.start()].rpartition("\n")[2]
    after = text[tag.end() : tag.end() + 200].lstrip()
    return not line.strip() or line[-1] not in " \t([{<\"'`|/" or after.startswith(("{", "[", "```", "~~~"))


# --- quotations


_OPENER = late_regex(r"[\[{]")
_FENCE = late_regex(r"^[ \t>]*(`{3,}|~{3,})", re.MULTILINE)
_BACKTICKS = late_regex("`+")
_QUOTES = [
    (late_regex(rf"[^\w{mark}]?{mark}"), late_regex(rf"{end}(?![\w{end}])"))
    for mark, end in ("``", '""', "''", "“”")
]


def _tags(text: str) -> Iterator[re.Match[str]]:
    """The tags that are not quoted."""
    tags = list(islice(_TAG.finditer(text), MAX_TAGS + 1))
    if len(tags) > MAX_TAGS:
        raise OutputError(f"the answer holds more than {MAX_TAGS:,} tags of thoughts", hint=_HINT)
    if not tags:
        return
    quoted = {*_in_values(text, tags), *_in_fences(text, tags), *_in_code(text, tags)}
    left = [tag for tag in tags if tag.start() not in quoted and not _in_quotes(text, tag)]
    # a lone closing tag amid fences: inside of one, or between two?
    if quoted and left and left[0].lastgroup is not None and _in_whole_fence(text, left[0]):
        raise _unclear(left[0])
    yield from left


def _in_values(text: str, tags: list[re.Match[str]]) -> Iterator[int]:
    """Tags in strings of whole JSON, in which no thought can begin or end; each as its start."""
    at, number, misses = 0, 0, 0
    while number < len(tags) and misses < MAX_TAGS and (opener := _OPENER.search(text, at)) is not None:
        start = opener.start()
        try:
            _, at = decode(text, start)
        except json.JSONDecodeError as error:
            at, misses = max(error.pos, start + 1), misses + 1
            continue
        except OutputError:
            return
        while number < len(tags) and tags[number].start() < at:
            if tags[number].start() > start:
                yield tags[number].start()
            number += 1


def _in_fences(text: str, tags: list[re.Match[str]]) -> Iterator[int]:
    """Tags in fences of code where each closing tag follows an opening one; each as its start."""
    found = list(_FENCE.finditer(text))
    if len(found) < len(re.findall("`{3,}|~{3,}", text)):
        # one begins where no line does, so nobody knows which are pairs
        return
    fences = iter(found)
    starts = [tag.start() for tag in tags]
    for fence in fences:
        end = next((it for it in fences if it[1].startswith(fence[1])), None)
        if end is None or re.search("[`<]", _rest(text, fence)) or _rest(text, end).strip():
            return
        inside = tags[bisect(starts, fence.start()) : bisect(starts, end.start())]
        halves = accumulate(1 if tag.lastgroup is None else -1 for tag in inside)
        if min(halves, default=0) >= 0:
            yield from (tag.start() for tag in inside)


def _in_code(text: str, tags: list[re.Match[str]]) -> Iterator[int]:
    """Tags in code between backticks, on one line; each as its start."""
    end, starts, ends = -1, list[int](), list[int]()
    for tag in tags:
        if tag.start() > end:
            start, end = text.rfind("\n", 0, tag.start()) + 1, text.find("\n", tag.end())
            end = len(text) if end < 0 else end
            spans = list(_code_spans(text, start, end))
            starts, ends = [it[0] for it in spans], [it[1] for it in spans]
        at = bisect(starts, tag.start()) - 1
        if at >= 0 and tag.end() <= ends[at]:
            yield tag.start()


def _code_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Code as Markdown has it: as many backticks end it as have begun it. A line with a fence has none."""
    runs = list(_BACKTICKS.finditer(text, start, end))
    left = {size: deque(run for run in runs if len(run[0]) == size) for size in (1, 2)}
    # three or more backticks are a fence, which has its own rule
    if len(left[1]) + len(left[2]) < len(runs):
        return
    at = 0
    for run in runs:
        same = left[len(run[0])]
        same.popleft()
        if run.start() >= at and same:
            at = same[0].end()
            yield run.end(), same[0].start()


def _in_whole_fence(text: str, tag: re.Match[str]) -> bool:
    """Whether as many fences begin as end, on both sides of a tag in the middle of one."""
    before, after = len(_FENCE.findall(text, 0, tag.start())), len(_FENCE.findall(text, tag.end()))
    return before % 2 == after % 2 == 1


def _rest(text: str, fence: re.Match[str]) -> str:
    """What stands behind the mark of a fence on its line."""
    return text[fence.end() : fence.end() + 80].partition("\n")[0]


def _in_quotes(text: str, tag: re.Match[str]) -> bool:
    around = text[max(0, tag.start() - 2) : tag.start()], text[tag.end() : tag.end() + 2]
    return any(before.fullmatch(around[0]) and after.match(around[1]) for before, after in _QUOTES)
