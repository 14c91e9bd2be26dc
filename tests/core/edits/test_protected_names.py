"""Names of files that decide what is run."""

from __future__ import annotations

import pytest

from pytest_lok.core.edits.protected_names import NAMES, fold_name, protection_reason


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("conftest.py", "pytest"),
        ("a/ConfTest.py", "pytest"),
        ("pyproject.toml. ", "pytest"),
        ("Makefile", "a build"),
        ("Dockerfile.prod", "a build"),
        ("package.json", "a package manager"),
        ("requirements-dev.txt", "a package manager"),
        ("CLAUDE.md", "a model's tool"),
        ("a/.env", "hidden"),
        (".github/x.yml", "hidden"),
        ("node_modules/a.js", "installed code"),
    ],
)
def test_what_decides_something_is_protected_by_its_name(path: str, what: str) -> None:
    assert what in str(protection_reason(path))


@pytest.mark.parametrize("path", ["src/a.py", "docs/a.md", "a.yaml", "makefiles/a.txt", "xconftest.py"])
def test_ordinary_files_are_not(path: str) -> None:
    assert protection_reason(path) is None


def test_a_name_is_what_file_systems_see() -> None:
    assert fold_name("\uff2da\u212ae") == "make"
    assert all(pattern == pattern.lower() for pattern in NAMES if "\\w" not in pattern)
