from __future__ import annotations

import json

import pytest

from pytest_lok.core.findings.baseline import extended_baseline, fingerprints
from tests.core.reports import finding


def test_what_is_accepted_is_read() -> None:
    found = [finding(fingerprint="b"), finding(fingerprint="a", title="x"), finding(fingerprint="b")]
    text, new = extended_baseline(found, None)
    assert fingerprints(text) == {"a": 1, "b": 1}
    assert new == 2
    assert json.loads(text)["findings"][0] == {
        "fingerprint": "a", "rule_id": "sql-injection", "path": "db.py", "title": "x",
    }  # fmt: skip
    assert extended_baseline([], None) == ('{\n  "findings": []\n}\n', 0)


def test_what_was_accepted_before_stays_with_its_notes() -> None:
    before = '{"findings": [{"fingerprint": "z", "reason": "ours"}, {"fingerprint": "a", "title": "old"}]}'
    text, new = extended_baseline([finding(fingerprint="a"), finding(fingerprint="b")], before)
    assert new == 1
    assert {entry["fingerprint"]: entry for entry in json.loads(text)["findings"]}["a"]["title"] == "old"
    assert '"reason": "ours"' in text
    assert extended_baseline([], text) == (text, 0)


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
