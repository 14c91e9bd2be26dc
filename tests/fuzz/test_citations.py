"""Random changes, and findings that cite random lines of them in every form: judged by the texts of both sides.

What is told apart here is what was written: a text that only one side has, or that one side has more often, is
a part of the change; one that each side has once, between the same neighbours, is none of it.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted
from pytest_lok.core.results import Outcome, StepResult
from pytest_lok.engine.ports import Comparison, FileVersions
from tests.engine.worlds import Tree, ran, world
from tests.fuzz import examples

ENDS = ["\n", "\r\n"]
CODECS = {"utf-8": "", "koi8-r": "# coding: koi8-r", "utf-16": ""}
NAMES = ["a.py", "src/b.py", "src/café.py", "Src/deep er/c.py", "x/y/z.py "]
WORDS = st.text(alphabet="abcdefgh", min_size=5, max_size=8)
CODE = st.builds(
    lambda word, shape, blank: blank + shape.format(word),
    WORDS,
    st.sampled_from(["{}()", "x = {}", "if {} < b and c:", "return {}[0], 'q'", "- {}: я", "@{}", '"{}"']),
    st.sampled_from(["", "    ", "\t"]),
)


@dataclass
class Versions(Tree):
    """A tree that is nowhere but here; what is in it was and is what it was told."""

    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        return self.after.get(path)

    async def file_names(self) -> frozenset[str]:
        return frozenset([*self.before, *self.after])

    async def tree_names(self) -> frozenset[str]:
        return frozenset(self.after)

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        files = {
            path: FileVersions(path=path, before=self.before.get(path), after=self.after.get(path))
            for path in paths
        }
        return Comparison(base="main", files=files)

    async def commits(self) -> tuple[str, str]:
        return "", ""

    async def text_at_base(self, path: str) -> str | None:
        return None


@dataclass(frozen=True)
class Edited:
    """Lines before and after."""

    old: list[str]
    new: list[str]

    def sides(self, quoted: Sequence[str]) -> tuple[int, int]:
        """How often the lines stand on each side, one right behind the other."""
        return tuple(  # type: ignore[return-value]  # two of them
            sum(lines[at : at + len(quoted)] == list(quoted) for at in range(len(lines)))
            for lines in (self.old, self.new)
        )

    def is_changed(self, quoted: Sequence[str]) -> bool:
        old, new = self.sides(quoted)
        return old != new

    def is_untouched(self, quoted: Sequence[str]) -> bool:
        """Each of the lines is there once on each side, with the same lines around; and no line has moved."""
        kept = [line for line in self.old if line in self.new]
        if kept != [line for line in self.new if line in self.old] or self.sides(quoted) != (1, 1):
            return False
        seen = [Counter("".join(line.split()) for line in side) for side in (self.old, self.new)]
        if any(max(side.values()) > 1 for side in seen):  # a quote may mean either
            return False
        return _around(self.old, quoted) == _around(self.new, quoted)


def _around(lines: Sequence[str], quoted: Sequence[str]) -> list[str]:
    at = list(lines).index(quoted[0])
    return [*lines[max(at - 1, 0) : at + len(quoted) + 1], "end"][: len(quoted) + 2]


@st.composite
def edited(draw: st.DrawFn) -> Edited:
    old = draw(st.lists(CODE, min_size=1, max_size=9))
    fresh = iter(draw(st.lists(CODE, min_size=20, max_size=20)))
    new = list[str]()
    for line in old:
        for kind in draw(
            st.sampled_from([["keep"]] * 5 + [["gone"], ["other"], ["more", "keep"], ["keep", "keep"]])
        ):
            new += [] if kind == "gone" else [line] if kind == "keep" else [next(fresh)]
    if draw(st.integers(0, 5)) == 0:
        new = draw(st.permutations(new))
    return Edited(old, new)


Form = Callable[[list[str], int], str]
FORMS: dict[str, Form] = {
    "as it is": lambda lines, n: "\n".join(lines),
    "without blanks around": lambda lines, n: "\n".join(line.strip() for line in lines),
    "other blanks": lambda lines, n: "\n".join(line.replace("(", " ( ").replace(" ", "  ") for line in lines),
    "one line": lambda lines, n: " ".join(lines),
    "CRLF": lambda lines, n: "\r\n".join(lines),
    "tab": lambda lines, n: "\n".join(f"{n + at:6}\t{line}" for at, line in enumerate(lines)),
    "colon": lambda lines, n: "\n".join(f"{n + at}: {line}" for at, line in enumerate(lines)),
    "bar": lambda lines, n: "\n".join(f"{n + at:4} | {line}" for at, line in enumerate(lines)),
    "arrow": lambda lines, n: "\n".join(f"{n + at:6}\u2192{line}" for at, line in enumerate(lines)),
    "grep": lambda lines, n: "\n".join(f"src/b.py:{n + at}:{line}" for at, line in enumerate(lines)),
    "wrong numbers": lambda lines, n: "\n".join(f"{n + at + 7}: {line}" for at, line in enumerate(lines)),
    "fence": lambda lines, n: "```python\n" + "\n".join(lines) + "\n```",
    "fence and numbers": lambda lines, n: (
        "```\n" + "\n".join(f"{n + i} | {it}" for i, it in enumerate(lines)) + "\n```"
    ),
    "backticks": lambda lines, n: "`" + "\n".join(lines).strip() + "`",
    "entities": lambda lines, n: html.escape("\n".join(lines)),
    "invisible": lambda lines, n: "\n".join(line[:2] + "\u200b" + line[2:] + "\ufeff" for line in lines),
    "mail": lambda lines, n: "\n".join(f"> {line}" for line in lines),
    "dots": lambda lines, n: "...\n" + "\n".join(lines) + "\n...",
    "dots between": lambda lines, n: "\n# ... more\n".join(lines),
    "escaped": lambda lines, n: json.dumps("\n".join(lines), ensure_ascii=False)[1:-1],
}
PATHS: dict[str, Callable[[str], str]] = {
    "as it is": lambda path: path,
    "b": lambda path: f"b/{path}",
    "dot": lambda path: f"./{path}",
    "octal": lambda path: '"b/' + "".join(chr(c) if c < 128 else f"\\{c:03o}" for c in path.encode()) + '"',
    "decomposed": lambda path: path.replace("é", "e\u0301"),
    "upper": str.upper,
    "line": lambda path: f"{path}:3",
    "columns": lambda path: f"{path}:3:1",
    "anchor": lambda path: f"{path}#L3-L4",
    "backticks": lambda path: f"`{path}`",
    "percents": lambda path: "".join(chr(c) if 45 <= c < 123 else f"%{c:02X}" for c in path.encode()),
    "backslashes": lambda path: path.replace("/", "\\"),
    "absolute": lambda path: f"/nowhere/repo/{path}",
    "container": lambda path: f"/app/{path}",
}


def encoded(lines: Sequence[str], codec: str, end: str, last: bool) -> bytes:
    head = [CODECS[codec]] if CODECS[codec] else []
    return (end.join([*head, *lines]) + (end if last else "")).encode(codec)


@st.composite
def citations(draw: st.DrawFn) -> dict[str, Any]:
    """A change of one file among others, and what is cited of it."""
    change = draw(edited())
    side = draw(st.sampled_from([change.old, change.new]))
    if not side:
        side = change.old
    at = draw(st.integers(0, len(side) - 1))
    return {
        "change": change,
        "quoted": side[at : at + draw(st.integers(1, 2))],
        "line": draw(st.sampled_from([at + 1, at + 1, 1, 50])),
        "path": draw(st.sampled_from(NAMES)),
        "as_path": draw(st.sampled_from(sorted(PATHS))),
        "form": draw(st.sampled_from(sorted(FORMS))),
        "codec": draw(st.sampled_from(["utf-8", "utf-8", *CODECS])),
        "end": draw(st.sampled_from(ENDS)),
        "last": draw(st.booleans()),
        "gone": draw(st.sampled_from([False] * 5 + [True])),
    }


def judged(root: Path, tree: Versions, finding: dict[str, Any], gate: str = 'scope = "diff"') -> StepResult:
    usual = {"rule_id": "r", "title": "t", "message": "m", "severity": "critical", "confidence": 1}
    backend = Scripted("m", json.dumps([{**usual, **finding}]))
    text = f'[gate]\n{gate}\n[[steps]]\nname = "s"\nprompt = "?"\nbackend = "m"\noutput_format = "findings"\n'
    return ran(text, replace(world(root, backend), workspace=tree)).result.steps["s"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nowhere")


def cited(case: dict[str, Any]) -> tuple[Versions, dict[str, Any]]:
    change, path = case["change"], case["path"]
    others = {name: b"nothing = 0\n" for name in NAMES if name != path}
    writing = case["codec"], case["end"], case["last"]
    before, after = (
        {**others, path: encoded(change.old, *writing)},
        {**others, path: encoded(change.new, *writing)},
    )
    if case["gone"]:
        del after[path]
    number = case["line"]
    evidence = FORMS[case["form"]](case["quoted"], number)
    tree = Versions("/nowhere/repo", before=before, after=after)
    return tree, {"path": PATHS[case["as_path"]](path), "line": number, "evidence": evidence}


@settings(max_examples=examples(110), deadline=None, suppress_health_check=list(HealthCheck))
@given(case=citations())
def test_what_the_change_has_touched_is_never_outside(root: Path, case: dict[str, Any]) -> None:
    tree, finding = cited(case)
    result = judged(root, tree, finding)
    changed = case["gone"] or case["change"].is_changed(case["quoted"])
    if changed:
        assert result.outcome in (Outcome.FAILED, Outcome.ERROR), result.output
    ends = [side[-1] for side in (case["change"].old, case["change"].new) if side]
    whole = case["last"] or case["quoted"][-1] not in ends  # a line without its end is not the one with it
    if whole and case["change"].is_untouched(case["quoted"]) and not case["gone"]:
        assert result.outcome is Outcome.PASSED, result.reason
        assert result.set_aside
    there = case["change"].sides(case["quoted"])[0] or not case["gone"]
    if changed and there and case["form"] not in ("dots between", "one line", "mail"):
        assert result.outcome is Outcome.FAILED, result.reason  # these forms are read


@settings(max_examples=examples(35), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=citations(), scope=st.sampled_from(["all", "diff", "file"]), baseline=st.sampled_from(["all", "new"])
)
def test_a_quote_that_is_nowhere_never_passes(
    root: Path, case: dict[str, Any], scope: str, baseline: str
) -> None:
    case["quoted"] = [f"{line}zzz9(" for line in case["quoted"]]
    tree, finding = cited(case)
    result = judged(root, tree, finding, f'scope = "{scope}"\nbaseline = "{baseline}"')
    assert result.outcome is Outcome.ERROR, result.output
    told = judged(root, tree, finding, f'evidence = "report"\nscope = "{scope}"')
    assert told.outcome is Outcome.PASSED
    assert told.set_aside
