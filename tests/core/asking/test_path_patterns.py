"""Patterns of paths mean what pathlib's own patterns mean, without what is hidden."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.asking.path_patterns import is_pattern, matching, pattern_problem

NAMES = sorted({
    f"{folder}{file}"
    for folder in ("", "a/", "a/b/", "a/b/c/", "b/", ".h/", "a/.h/", "[id]/")
    for file in ("x.md", "y.md", "x.py", ".md", ".x.md", "[id].md", "a", "é.md")
} - {"a"})  # fmt: skip
PART = st.sampled_from(
    ["*", "**", "a", "b", "?", "*.md", "x.*", ".h", ".*", "[id]", "[id].md", "*d*", "??.md", "x.md"]
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in NAMES:
        if not (root / name).is_dir():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
    return root


@given(parts=st.lists(PART, min_size=1, max_size=4))
def test_a_pattern_means_what_pathlib_finds(tree: Path, parts: list[str]) -> None:
    files = {it.relative_to(tree).as_posix() for it in tree.rglob("*") if it.is_file()}
    # there brackets are classes, and a last ** means directories
    theirs = "/".join(part.replace("[", "[[]") for part in [*parts, *(["*"] if parts[-1] == "**" else [])])
    found = {it.relative_to(tree).as_posix() for it in tree.glob(theirs) if it.is_file()}
    shown = {
        name for name in found if _is_shown(name.split("/"), [*parts, *(["*"] if parts[-1] == "**" else [])])
    }
    assert set(matching("/".join(parts), files)) == shown


def _is_shown(name: list[str], parts: list[str]) -> bool:
    """Whether each hidden part of the name may stand for a part of the pattern that begins with a dot."""
    if not parts or not name:
        return not name and all(part == "**" for part in parts)
    if parts[0] == "**":
        return _is_shown(name, parts[1:]) or (not name[0].startswith(".") and _is_shown(name[1:], parts))
    fits = Path(name[0]).match(parts[0].replace("[", "[[]")) and (
        not name[0].startswith(".") or parts[0].startswith(".")
    )
    return fits and _is_shown(name[1:], parts[1:])


def test_what_is_a_pattern() -> None:
    assert [is_pattern(text) for text in ("a.md", "app/[id].tsx", "*.md", "a?")] == [False, False, True, True]
    assert pattern_problem("docs/**/x") is None
    assert pattern_problem("docs/**.md")
    # a long name costs no more than its length
    assert matching("*a" * 30 + "b", ["a" * 5000]) == []
