"""What programs open as code among their operands and options."""

from __future__ import annotations

import pytest

from pytest_lok.core.shell.safety.openers import opened_words, opens_operands
from tests.core.shell.safety.test_arrivals import call


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("pytest {{ x }}", ["$…"]),
        ("pytest -k {{ x }}", []),
        ("pytest a::{{ x }}", []),
        ("pytest -q {{ x }}", ["$…"]),
        ("coverage run {{ x }}", ["$…"]),
        ("coverage report {{ x }}", []),
        ("coverage run a {{ x }}", []),
        ("cargo run -- {{ x }}", []),
        ("go run a -- {{ x }}", []),
        ("helm install name {{ x }}", ["$…"]),
        ("helm install {{ x }} chart", []),
        ("docker build -f {{ x }} .", ["$…"]),
        ("docker build --file={{ x }} .", ["--file=$…"]),
        ("docker build --fil {{ x }} .", ["$…"]),
        ("kubectl apply -f {{ x }}", ["$…"]),
        ("kubectl get -f {{ x }}", []),
        ("celery -A{{ x }} worker", ["-A$…"]),
    ],
)
def test_words_that_name_what_is_opened(text: str, opened: list[str]) -> None:
    assert [word.shown for word, _ in opened_words(call(text))] == opened


def test_names_that_are_plain_words_open_nothing_among_other_arguments() -> None:
    assert [opens_operands(name) for name in ("pytest", "green", "helm", "cat")] == [
        True,
        False,
        False,
        False,
    ]
