from __future__ import annotations

import json

import pytest

from pytest_lok.core.baseline import baseline, fingerprints
from tests.core.reports import finding


def test_what_is_written_is_read() -> None:
    found = [finding(fingerprint="b"), finding(fingerprint="a", title="x"), finding(fingerprint="b")]
    text = baseline(found)
    assert fingerprints(text) == {"a", "b"}
    assert [entry["fingerprint"] for entry in json.loads(text)["findings"]] == ["a", "b"]
    assert json.loads(text)["findings"][0] == {
        "fingerprint": "a", "rule_id": "sql-injection", "path": "db.py", "title": "x",
    }  # fmt: skip
    assert fingerprints(baseline([])) == frozenset()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not of the form"),
        ('{"findings": {}}', "not of the form"),
        ('{"findings": ["a"]}', "entry 1 has no fingerprint"),
        ('{"findings": [{"fingerprint": "a"}, {"fingerprint": 1}]}', "entry 2"),
    ],
)
def test_a_broken_baseline_accepts_nothing(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fingerprints(text)
