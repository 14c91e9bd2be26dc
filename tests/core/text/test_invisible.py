from __future__ import annotations

import sys
import unicodedata

import pytest

from pytest_lok.core.text.invisible import caseless, rule_key, squeezed


def test_what_nobody_sees_is_left_out_whatever_it_is() -> None:
    for number in range(sys.maxunicode + 1):
        sign = chr(number)
        if unicodedata.category(sign) in ("Cf", "Cc", "Zs", "Zl", "Zp"):
            assert squeezed(f"a{sign}b") == "ab", hex(number)


def test_what_is_seen_stays() -> None:
    for text in ("a_b-c", "\u00e9\u0436\u65e5", "\U0001f600", "\ufffd"):
        assert squeezed(text) == text
    assert squeezed("e\u0301") == squeezed("e\u200b\u0301") == "\u00e9"
    assert squeezed("\udce9") == "\ufffd"
    assert caseless("STRASSE \u00c9") == caseless("stra\u00dfe E\u0301")


@pytest.mark.parametrize(
    "rule", ["sql-injection", "SQL_Injection", "sql injection", " SQLInjection\u200b", "sql\u2010injection"]
)
def test_a_rule_is_one_however_it_is_spelled(rule: str) -> None:
    assert rule_key(rule) == "sqlinjection"
    assert rule_key("---") == "---"
