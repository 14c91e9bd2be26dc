"""Redirections and here-documents."""

from __future__ import annotations

import pytest

from pytest_lok.core.shell.ast import HereDoc, PipeInput, UnsupportedSyntax
from pytest_lok.core.shell.parser import scan
from tests.core.shell.safety.reviewed import scanned


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ("a > f", ["f"]),
        ("a 2>> f", ["f"]),
        ("a >| f", ["f"]),
        ("a <> f", ["f"]),
        ("a >& f", ["f"]),
        ("a 2>&1", []),
        ("a >&-", []),
        ("a < f", []),
        ("{ a; b; } > f", ["f", "f"]),
    ],
)
def test_files_that_commands_write(text: str, outputs: list[str]) -> None:
    script = scan(text)
    assert [path for command in script.commands for path in command.outputs] == outputs
    assert script.output_files == outputs[:1]


def test_a_value_that_names_a_file_chooses_what_is_read() -> None:
    script = scanned("a < {{ x }}")
    (given,) = script.commands[0].inputs
    assert isinstance(given, PipeInput)
    assert list(given.holes) == script.holes
    assert scanned("a > {{ x }}").dynamic_outputs[0].own_holes != []


@pytest.mark.parametrize("text", ["a >&{{ x }}", "a > $(b {{ x }})"])
def test_no_value_stands_where_a_target_is_not_plain(text: str) -> None:
    assert "redirect of this kind" in scanned(text).holes[0].unsafe_place


@pytest.mark.parametrize(
    ("text", "body", "literal"),
    [
        ("cat <<E\na\nE\n", "a\n", False),
        ("cat <<'E'\n$a\nE\n", "$a\n", True),
        ("cat <<\\E\na\nE", "a\n", True),
        ("cat <<-E\n\ta\n\tE\n", "\ta\n", False),
        ("cat <<E; b\nE\n", "", False),
    ],
)
def test_a_here_document_ends_with_its_delimiter(text: str, body: str, literal: bool) -> None:
    script = scan(text)
    (doc,) = script.here_documents
    assert (text[doc.body_start : doc.body_end], doc.literal) == (body, literal)
    assert [isinstance(given, HereDoc) for given in script.commands[0].inputs] == [True]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cat <<E\na\n", "has no end"),
        ("cat <<E", "has no body"),
        ("cat <<$E\n", "one plain word"),
        ("cat 3<<E\nE\n", "not the standard input"),
        ("cat <<E\na\\\nE\nE\n", "joined by a backslash"),
        ("cat <<E\n$(a) b\\\nc\nE\n", "a joined line and a command"),
        ("cat <<<a", "`<<<`"),
        ("cat &> f", "`&>`"),
        ("cat <(a)", "`<(a`"),
    ],
)
def test_what_shells_read_differently_is_refused(text: str, why: str) -> None:
    with pytest.raises(UnsupportedSyntax, match=f"(?s).*{why.replace('(', '[(]')}"):
        scan(text)
