from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.findings.baseline import (
    Acceptance,
    day_of,
    extended_baseline,
    fingerprints,
    read_baseline,
)
from tests.core.reports import finding
from tests.fuzz import examples

TODAY = date(2026, 11, 29)
SILENT = Acceptance()


def test_what_is_accepted_is_read() -> None:
    found = [finding(fingerprint="b"), finding(fingerprint="a", title="x"), finding(fingerprint="b")]
    text, new = extended_baseline(found, None, TODAY, SILENT)
    assert fingerprints(text, TODAY) == {"a": 1, "b": 1}
    assert new == 2
    assert json.loads(text)["findings"][0] == {
        "fingerprint": "a", "rule_id": "sql-injection", "path": "db.py", "title": "x",
    }  # fmt: skip
    assert extended_baseline([], None, TODAY, SILENT) == ('{\n  "findings": []\n}\n', 0)


def test_what_was_accepted_before_stays_with_its_notes() -> None:
    before = '{"findings": [{"fingerprint": "z", "reason": "ours"}, {"fingerprint": "a", "title": "old"}]}'
    found = [finding(fingerprint="a"), finding(fingerprint="b")]
    text, new = extended_baseline(found, before, TODAY, Acceptance(author="Bo"))
    assert new == 1
    assert {entry["fingerprint"]: entry for entry in json.loads(text)["findings"]}["a"]["title"] == "old"
    assert '"reason": "ours"' in text
    assert extended_baseline([], text, TODAY, SILENT) == (text, 0)


def test_an_entry_says_who_accepted_it_and_why() -> None:
    how = Acceptance(reason="a test", author="Ada", day=TODAY, until=date(2026, 12, 31))
    text, _ = extended_baseline([finding(fingerprint="a", copies=2)], None, TODAY, how)
    (entry,) = json.loads(text)["findings"]
    assert entry == {
        "fingerprint": "a", "rule_id": "sql-injection", "path": "db.py", "title": finding().title,
        "count": 2, "reason": "a test", "author": "Ada", "date": "2026-11-29", "until": "2026-12-31",
    }  # fmt: skip
    assert read_baseline(text, TODAY).notes == {
        "a": "accepted by Ada on 2026-11-29 until 2026-12-31: a test",
    }


def test_an_acceptance_holds_on_its_last_day_and_not_after() -> None:
    text = '{"findings": [{"fingerprint": "a", "until": "2026-11-29", "author": "Ada"}]}'
    assert fingerprints(text, TODAY) == {"a": 1}
    after = read_baseline(text, TODAY + timedelta(days=1))
    assert after.counts == {}
    assert after.notes == {
        "a": "no longer accepted since 2026-11-30 (accepted by Ada until 2026-11-29)",
    }


def test_of_two_entries_the_one_that_holds_counts() -> None:
    ended = {"fingerprint": "a", "until": "2020-01-01", "count": 9}
    text = json.dumps({"findings": [{"fingerprint": "a", "author": "Bo"}, ended]})
    assert read_baseline(text, TODAY).counts == {"a": 1}
    assert read_baseline(text, TODAY).notes == {"a": "accepted by Bo"}


def test_what_ended_is_accepted_anew() -> None:
    ended = '{"findings": [{"fingerprint": "a", "until": "2020-01-01", "ticket": 7}]}'
    text, new = extended_baseline([finding(fingerprint="a")], ended, TODAY, Acceptance(day=TODAY))
    assert (new, fingerprints(text, TODAY)) == (1, {"a": 1})
    (entry,) = json.loads(text)["findings"]
    assert entry == {"fingerprint": "a", "ticket": 7, "date": "2026-11-29"}


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(-3, 3) | st.none(), st.integers(1, 3)), max_size=6)
)
@settings(max_examples=examples(200))
def test_nothing_counts_but_what_somebody_accepted_until_today_or_later(
    entries: list[tuple[str, int | None, int]],
) -> None:
    written = [
        {"fingerprint": name, "count": count}
        | ({} if days is None else {"until": str(TODAY + timedelta(days=days))})
        for name, days, count in entries
    ]
    wanted: dict[str, int] = {}
    for name, days, count in entries:
        if days is None or days >= 0:
            wanted[name] = max(count, wanted.get(name, 0))
    assert fingerprints(json.dumps({"findings": written}), TODAY) == wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not of the form"),
        ('{"findings": {}}', "not of the form"),
        ('{"findings": ["a"]}', "entry 1 has no fingerprint"),
        ('{"findings": [{"fingerprint": "a"}, {"fingerprint": 1}]}', "entry 2"),
        ('{"findings": [{"fingerprint": "a", "count": 0}]}', "the count of entry 1"),
        ('{"findings": [{"fingerprint": "a", "until": "soon"}]}', "the until of entry 1"),
        ('{"findings": [{"fingerprint": "a", "until": null}]}', "the until of entry 1"),
        ('{"findings": [{"fingerprint": "a", "until": "20991231"}]}', "the until of entry 1"),
        ('{"findings": [{"fingerprint": "a", "expires": "2020-01-01"}]}', 'the last day is "until"'),
        ('{"findings": [{"fingerprint": "a", "Until": "2020-01-01"}]}', 'the last day is "until"'),
        ('{"findings": [{"fingerprint": "a", "valid-until": "2020-01-01"}]}', 'the last day is "until"'),
        (
            '{"findings": [{"fingerprint": "a", "until": "2020-01-01", "until": "2099-01-01"}]}',
            "'until' stands there twice",
        ),
        ('{"findings": [], "findings": [{"fingerprint": "a"}]}', "'findings' stands there twice"),
    ],
)
def test_a_broken_baseline_accepts_nothing(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fingerprints(text, TODAY)


@pytest.mark.parametrize(
    "text", ["20261231", "2026-12-31T00:00", " 2026-12-31", "2026-W01-1", "2026-02-30", ""]
)
def test_a_day_has_one_spelling(text: str) -> None:
    assert str(day_of("2028-02-29")) == "2028-02-29"
    with pytest.raises(ValueError, match=r"day|isoformat"):
        day_of(text)
