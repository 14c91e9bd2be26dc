"""Paths as they are cited, and the files they may mean."""

from __future__ import annotations

import pytest

from pytest_lok.core.text.path_spellings import (
    WorkspacePaths,
    base_name,
    names_exactly,
    possible_paths,
    without_prefix,
)


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("src/a.py", "src/a.py"),
        ("src//a.py", "src/a.py"),
        ("/repo/src/a.py", "src/a.py"),
        ("src/../a.py", "a.py"),
        ("..a.py", "..a.py"),
        ("/app/src/a.py", "/app/src/a.py"),
        ("../repo/a.py", "a.py"),
        ("a" * 255 + "/a.py", "a" * 255 + "/a.py"),
        ("n.py ", "n.py "),
        ("../a.py", None),
        ("src/../../a.py", None),
        ("/repo/../a.py", None),
        (".", None),
        ("/", None),
        ("a\0.py", None),
        ("ä" * 128, None),
        ("a/" * 200 + "b", None),
    ],
)
def test_paths_are_those_of_the_workspace(path: str, first: str | None) -> None:
    assert next(iter(possible_paths(path, "/repo")), None) == first


def test_what_stands_around_a_path_is_read_later() -> None:
    assert possible_paths(" ./src//a.py:3\n", "/repo") == (
        " ./src/a.py:3\n",
        "src/a.py:3",
        " ./src/a.py\n",
        "src/a.py",
    )
    assert "caf\u00e9.py" in possible_paths('"b/caf\\303\\251.py"', "/repo")[2]


@pytest.mark.parametrize(
    ("reading", "like"),
    [
        ("SRC/A.py", ("src/a.py",)),
        ("x/src/a.py", ("src/a.py",)),
        ("a.py", ("src/a.py", "lib/a.py", "a.py")),
        ("lib/b.py", ()),
        ("cafe\u0301.py", ("caf\u00e9.py",)),
    ],
)
def test_names_that_are_like_a_path(reading: str, like: tuple[str, ...]) -> None:
    names = WorkspacePaths(["src/a.py", "lib/a.py", "a.py", "caf\u00e9.py"])
    assert names.with_longest_common_end([reading]) == like


@pytest.mark.parametrize(
    ("name", "reading", "whole"),
    [
        ("src/a.py", "src/A.py", True),
        ("src/a.py", "b/src/a.py", True),
        ("src/a.py", "/app/src/a.py", True),
        ("src/a.py", "shop/src/a.py", True),  # from the directory the workspace lies in
        ("src/a.py", "b/shop/src/a.py", True),
        ("src/a.py", "other/src/a.py", False),
        ("src/a.py", "a.py", False),
        ("a.py", "src/a.py", False),
    ],
)
def test_a_reading_names_a_path_or_is_only_like_it(name: str, reading: str, whole: bool) -> None:
    assert names_exactly(name, [reading], "/work/shop") is whole


def test_the_prefix_of_a_diff() -> None:
    assert [without_prefix(path) for path in ("a/b.py", "b/b.py", "src/b.py", "a/", "a")] == [
        "b.py",
        "b.py",
        "",
        "",
        "",
    ]
    assert base_name("x/CAFE\u0301.py ") == "caf\u00e9.py"
