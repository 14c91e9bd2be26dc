"""Names → texts of prompts, from real directories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_lok.core.text.inclusion import MAX_CHARACTERS
from pytest_lok.errors import UsageError
from pytest_lok.prompt_files import PromptFiles

BUILT_IN = "parts-of-code.md"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project/.lok/prompts/rules").mkdir(parents=True)
    (tmp_path / "user/prompts").mkdir(parents=True)
    return tmp_path / "project"


def prompts(root: Path) -> PromptFiles:
    return PromptFiles(root, root.parent / "user")


def said(root: Path, name: str) -> str:
    with pytest.raises(UsageError) as caught:
        prompts(root).named(name)
    return str(caught.value)


def test_the_projects_own_come_first_then_the_users_then_those_that_are_built_in(root: Path) -> None:
    built_in = prompts(root).named(BUILT_IN)
    assert "material to judge" in built_in.text
    assert Path(built_in.path).is_absolute()
    (root.parent / "user/prompts" / BUILT_IN).write_text("the user's\r\n")
    assert prompts(root).named(BUILT_IN).text == "the user's"
    (root / ".lok/prompts" / BUILT_IN).write_text("\ufeffthe project's\n\n")
    found = prompts(root).named(BUILT_IN)
    # as with Jinja, the newline at the end of a file is none of the text
    assert (found.name, found.path, found.text) == (BUILT_IN, f".lok/prompts/{BUILT_IN}", "the project's\n")
    (root / ".lok/prompts/rules/python.md").write_text("x")
    assert prompts(root).named("rules/python.md").path == ".lok/prompts/rules/python.md"
    assert "did you mean `rules/python.md`" in said(root, "rules/pyton.md")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x.md", "rules/../x.md", "/etc/passwd", "rules//x", "./x.md", ".hidden", "rules/.x",
     "a\\b", "a\0b", "a\nb", "C:x", "~/x", "rules/", "x" * 201, "$HOME", "a b"],
)  # fmt: skip
def test_a_name_leads_nowhere_else(root: Path, name: str) -> None:
    assert "is no name of a prompt" in said(root, name)


def test_instructions_are_files_of_the_project(root: Path) -> None:
    (root / ".github").mkdir()
    (root / ".github/copilot-instructions.md").write_text("Be kind.\n")
    (root / "two words.md").write_text("x")
    files = prompts(root)
    assert files.instruction(".github/copilot-instructions.md").text == "Be kind."
    assert files.instruction("two words.md").path == "two words.md"
    (root.parent / "secret.md").write_text("secret")
    (root / "link.md").symlink_to("../secret.md")
    wrong = {
        "AGENTS.md": "there is no AGENTS.md in the project",
        "link.md": "link.md is a link",
        ".github": "is no file",
        **dict.fromkeys(
            ["../secret.md", "/etc/passwd", ".git/config", ".lok/prompts/x", "a//b", "", ".", "~/x"],
            "is no file of",
        ),
    }
    for path, message in wrong.items():
        with pytest.raises(UsageError, match=message):
            files.instruction(path)


def test_no_link_is_followed_at_any_place(root: Path) -> None:
    secret = root.parent / "secret.md"
    secret.write_text("secret")
    (root / ".lok/prompts/link.md").symlink_to(secret)
    assert ".lok/prompts/link.md is a link" in said(root, "link.md")
    (root / ".lok/prompts/out").symlink_to(root.parent)
    assert ".lok/prompts/out is a link" in said(root, "out/secret.md")
    (root / ".lok/prompts/gone.md").symlink_to("nowhere")
    assert "is a link" in said(root, "gone.md")
    (root / ".lok").rename(root / "kept")
    (root / ".lok").symlink_to("kept")
    (root / "kept/prompts/x.md").write_text("x")
    assert ".lok is a link" in said(root, "x.md")


def test_what_is_no_text_is_refused(root: Path) -> None:
    folder = root / ".lok/prompts"
    (folder / "bytes.md").write_bytes(b"one\n\xff")
    assert ".lok/prompts/bytes.md is not UTF-8, in line 2" in said(root, "bytes.md")
    (folder / "empty.md").write_text("\n")
    assert "is empty" in said(root, "empty.md")
    (folder / "long.md").write_text("x" * (MAX_CHARACTERS + 1))
    assert "1,000,000 characters" in said(root, "long.md")
    (folder / "longer.md").write_bytes("é".encode() * 2_000_001)
    assert "1,000,000 characters" in said(root, "longer.md")
    os.mkfifo(folder / "pipe.md")
    assert "is no file" in said(root, "pipe.md")
    assert "is no file" in said(root, "rules")
    assert ".lok/prompts, in those of the user" in said(root, "zzzzzzz.md")
