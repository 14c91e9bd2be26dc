from dataclasses import replace

import pytest

from pytest_lok.core.results import (
    EditedFile,
    ItemResult,
    Json,
    Outcome,
    Refusal,
    Reply,
    Section,
    StepResult,
    Verdict,
)
from pytest_lok.reports.facts import (
    brief,
    coverage,
    dissents,
    done,
    in_spite_of,
    item_label,
    last_attempt,
    some,
    vote,
)
from tests.reports.results import ERROR, FAILED, PASSED, SKIPPED, SOFT


def verdict(tally: dict[str, float], *dissent: str) -> Verdict:
    return Verdict(strategy="vote", text="", backend="a", tally=tally, dissent=dissent)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (None, ""),
        (Verdict(strategy="first", text="x", backend="a"), ""),
        (verdict({"yes": 3.0}), "yes 3"),
        (verdict({"no": 1.0, "yes": 2.0}, "gamma: no"), "yes 2 : 1 no (gamma)"),
        (verdict({"yes": 2.5, "no": 1.0}, "c: no", "d: no"), "yes 2.5 : 1 no (c, d)"),
        (verdict({"yes": 3.0, "no": 1.0, "may": 1.0}, "c: no", "d: may"), "yes 3 : 1 no (c) : 1 may (d)"),
        (
            verdict({"x" * 99: 2.0, "y" * 99: 1.0}, "c: " + "y" * 79 + "…"),
            f"{'x' * 19}… 2 : 1 {'y' * 19}… (c)",
        ),
    ],
)
def test_a_vote_is_read_as_a_vote(said: Verdict | None, shown: str) -> None:
    assert vote(said) == shown


def test_who_dissents() -> None:
    said = verdict({"yes": 2.0, "no": 1.0}, "ab: no")
    assert dissents(said, "ab")
    assert not dissents(said, "a")
    assert not dissents(None, "ab")


def test_items_findings_and_the_vote_stand_on_the_line() -> None:
    assert brief(replace(SOFT, findings=(), verdict=verdict({"yes": 2.0}))) == [
        "1/3 items",
        "0 findings",
        "yes 2",
    ]
    assert brief(FAILED) == []


def test_what_was_done_is_told_also_where_all_is_well() -> None:
    files = (
        EditedFile(file="a.py", added=2, removed=1),
        EditedFile(file="b.py", added=9, removed=0, created=True),
    )
    result = replace(
        PASSED,
        verdict=Verdict(strategy="first", text="x", backend="a", note="a answered first"),
        refusals=(Refusal(backend="codex", kind="rate limit", reason="429\ntry later"),),
        edits=files,
        verified="make\ntest",
        set_aside=("[high] outside",),
    )
    assert list(done(result)) == [
        "a answered first",
        "no answer of codex: 429 try later",
        "edited a.py (+2 -1)",
        "created b.py (+9 -0)",
        "verified: make test",
        "set aside: [high] outside",
    ]


def test_many_files_are_counted() -> None:
    result = replace(PASSED, edits=tuple(EditedFile(file=f"{n}", added=1, removed=0) for n in range(12)))
    assert list(done(result))[9:] == ["edited 9 (+1 -0)", "and 2 files more (-v names all)"]
    assert len(list(done(result, whole=True))) == 12


def test_a_step_does_not_rest_on_what_did_not_pass() -> None:
    results = {step.name: step for step in (PASSED, FAILED, SKIPPED, SOFT)}
    own = StepResult(name="own", outcome=Outcome.SKIPPED, reason="when is false: x")
    results["own"] = own
    assert in_spite_of(["review", "own"], results) == ""
    assert in_spite_of(["review", "tests", "join"], results) == "1 of 3 passed, not tests, join"
    assert in_spite_of(["review", "lint"], results) == "1 of 2 passed, not lint"
    assert in_spite_of([], {}) == in_spite_of(["nowhere"], {}) == ""
    assert in_spite_of(["vote"], {"vote": ERROR}) == "0 of 1 passed, not vote"


def test_of_a_loop_of_fixes_the_last_attempt_is_shown() -> None:
    titles = ["edits", "verify", "before fix 1", "edits", "verify", "before fix 2", "edits", "verify"]
    shown = last_attempt(Section(title=title, text=f"{n}\nmore") for n, title in enumerate(titles))
    assert [(it.title, it.text) for it in shown] == [
        ("before fix 1", "2"),
        ("before fix 2", "5"),
        ("edits", "6\nmore"),
        ("verify", "7\nmore"),
    ]


def test_each_item_of_a_loop_has_its_own_last_attempt() -> None:
    titles = ["[a] verify", "[a] before fix 1", "[a] verify", "[b] verify"]
    shown = last_attempt(Section(title=title, text="x") for title in titles)
    assert [it.title for it in shown] == ["[a] before fix 1", "[a] verify", "[b] verify"]


@pytest.mark.parametrize(
    ("item", "label"),
    [
        ("a\nb", "[3] a b"),
        ({"q": "é"}, '[3] {"q": "é"}'),
        ({"name": "a.py … z.py", "files": ["a.py"]}, "[3] a.py … z.py"),
        ({"name": " "}, '[3] {"name": " "}'),
        (7, "[3] 7"),
        (None, "[3] null"),
    ],
)
def test_an_item_is_called_by_its_number_and_what_it_is(item: Json, label: str) -> None:
    assert item_label(ItemResult(index=3, item=item, outcome=Outcome.PASSED)) == label


def test_some_names() -> None:
    assert (some(["a", "b"], 2), some(["a", "b", "c"], 2)) == ("a, b", "a, b and 1 more")


def asked(*names: str, lost: tuple[str, ...] = (), items: tuple[Outcome, ...] = ()) -> StepResult:
    return replace(
        ERROR,
        replies=tuple(Reply(text="x", backend=name) for name in names),
        refusals=tuple(Refusal(backend=name, kind="timeout", reason="late") for name in lost),
        items=tuple(ItemResult(index=n, item=n, outcome=it) for n, it in enumerate(items)),
    )


P, F, E = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (asked("a"), ""),
        (asked(lost=("a",)), ""),
        (asked("a", "b"), ""),
        (asked("a", "b", lost=("c",)), "2 of 3 backends"),
        (asked("a", "a", lost=("a",)), "2 of 3 answers"),
        (asked("a", "a", lost=("a",), items=(P, F, E)), "2 of 3 items"),
        (asked("a", "b", "a", lost=("b",), items=(P, E)), "1 of 2 items, 3 of 4 answers"),
        (asked("a", items=(P, E)), "1 of 2 items"),  # the other one was not even asked
        (asked("a", "b", items=(P, P)), ""),
        (SOFT, ""),  # commands are no answers
    ],
)
def test_the_coverage_says_how_much_was_answered(step: StepResult, said: str) -> None:
    assert coverage(step) == said
    assert [line for line in done(step) if "answered" in line] == ([f"answered: {said}"] if said else [])
