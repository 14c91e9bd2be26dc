"""Which backend a task's own words speak for."""

import pytest

from pytest_lok.core.asking.routing import rank

LOK = {
    "claude": ["general", "architecture", "analysis"],
    "codex": ["analysis", "dead-code", "performance"],
    "gemini": ["security", "architecture"],
    "ollama": [],
}


def best(task: str) -> str:
    return rank(task, LOK)[0].backend


@pytest.mark.parametrize(
    ("task", "backend"),
    [
        ("Find N+1 queries in this codebase", "codex"),
        ("Find SQL injection vulnerabilities", "gemini"),
        ("Security audit for SQL injection", "gemini"),
        ("Is there dead code?", "codex"),
        ("Why is it so SLOW?", "codex"),
        ("Review the architecture", "claude"),
        ("Check authentication", "gemini"),
        ("Write release notes for the authors", "claude"),
        ("What is the time?", "claude"),
        ("", "claude"),
    ],
)
def test_a_task_goes_where_lok_sends_it(task: str, backend: str) -> None:
    assert rank(task, LOK)[0].backend == backend


def test_everybody_is_ranked_and_says_why() -> None:
    ranked = rank("Refactor the slow design", LOK)
    assert [(it.backend, it.points) for it in ranked] == [
        ("codex", 18), ("claude", 17), ("gemini", 9), ("ollama", 0),
    ]  # fmt: skip
    assert (
        ranked[0].why == "strong in analysis (the task says `refactor`), performance (the task says `slow`)"
    )
    assert ranked[-1].why == "the task asks for none of its strengths"
    assert rank("hello", LOK)[0].why == "strong in general tasks"


def test_equal_ones_keep_their_order() -> None:
    alike = {"b": ["security"], "a": ["security"], "c": ["security"]}
    assert [it.backend for it in rank("an audit", alike)] == ["b", "a", "c"]
    assert [it.backend for it in rank("nothing of the kind", alike)] == ["b", "a", "c"]


def test_the_strength_named_first_counts_the_most() -> None:
    both = {"a": ["architecture", "security"], "b": ["security", "architecture"]}
    assert rank("security", both)[0].backend == "b"
    assert rank("design", both)[0].backend == "a"


def test_any_word_or_phrase_can_be_a_strength() -> None:
    own = {"a": ["general"], "b": ["Rust", "unsafe blocks"]}
    ranked = rank("Review the unsafe   blocks of this\nrust crate", own)
    assert (ranked[0].backend, ranked[0].points) == ("b", 19)
    assert ranked[1].points == 0  # a general one is for tasks nobody is strong in
    assert rank("Do you trust it?", own)[0].backend == "a"


def test_kinds_are_known_however_they_are_spelled() -> None:
    for name in ("dead-code", "dead code", "Dead_Code"):
        assert rank("unused imports", {"a": [], "b": [name]})[0].backend == "b"


def test_a_strength_named_twice_counts_once() -> None:
    assert rank("security", {"a": ["security", "security"]})[0].points == 10


def test_what_a_template_reads_is_no_word_of_the_task() -> None:
    assert best("{{ steps.security-audit.output }} {% if arg.auth %} Explain it") == "claude"


def test_a_late_strength_still_counts() -> None:
    many = [f"word{n}" for n in range(20)]
    assert rank("about word19", {"a": many})[0].points == 1
