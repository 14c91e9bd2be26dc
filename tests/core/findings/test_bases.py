"""What a base may mean, and that nothing else can be taken for it."""

from __future__ import annotations

import pytest

from pytest_lok.core.findings.bases import base_of, is_id

ID = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("said", "groups", "way"),
    [
        ("main", (("refs/remotes/origin/main",), ("refs/heads/main",)), ""),
        ("main~2", (("refs/remotes/origin/main",), ("refs/heads/main",)), "~2"),
        (
            "origin/main",
            (("refs/remotes/origin/origin/main", "refs/remotes/origin/main"), ("refs/heads/origin/main",)),
            "",
        ),
        ("HEAD", (("HEAD",),), ""),
        ("HEAD^2~3", (("HEAD",),), "^2~3"),
        (ID, ((ID,),), ""),
        (f"{ID}^", ((ID,),), "^"),
        (ID[:39], ((f"refs/remotes/origin/{ID[:39]}",), (f"refs/heads/{ID[:39]}",)), ""),
        ("refs/heads/main", (("refs/heads/main",),), ""),
        ("refs/tags/v1", (("refs/tags/v1",),), ""),
        # whatever else git would take for a revision is part of a name, which no ref has
        ("main@{1}", (("refs/remotes/origin/main@{1}",), ("refs/heads/main@{1}",)), ""),
    ],
)
def test_a_name_means_only_this(said: str, groups: tuple[tuple[str, ...], ...], way: str) -> None:
    base = base_of(said)
    assert (base.groups, base.ancestry, base.said) == (groups, way, said)


def test_a_tag_is_told_of_and_no_more() -> None:
    assert base_of("v1").tag == "refs/tags/v1"
    assert "refs/tags/v1" in base_of("v1").names
    assert not any("tags" in name for group in base_of("v1").groups for name in group)


@pytest.mark.parametrize(
    ("name", "whole"), [(ID, True), (ID + ID[:24], True), (ID[1:], False), ("", False), (ID.upper(), False)]
)
def test_only_a_whole_id_is_one(name: str, whole: bool) -> None:
    assert is_id(name) is whole
