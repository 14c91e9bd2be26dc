"""The page's own tests."""

from shop import connect
from web import answer


def test_a_customer_sees_their_orders() -> None:
    assert answer(connect(), "email=ada@example.org") == ["slide rule", "punch cards"]


def test_a_stranger_sees_nothing() -> None:
    assert answer(connect(), "email=nobody@example.org") == []


def test_a_customer_finds_an_order() -> None:
    assert answer(connect(), "email=ada@example.org&word=rule") == ["slide rule"]
