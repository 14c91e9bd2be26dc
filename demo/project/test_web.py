"""The new page's own tests: they pass with the injection as well as without it."""

import json
from wsgiref.util import setup_testing_defaults

from shop import connect
from web import Orders


def get(query: str) -> list[str]:
    environ: dict[str, str] = {"QUERY_STRING": query}
    setup_testing_defaults(environ)
    body = b"".join(Orders(connect())(environ, lambda *_: lambda _: None))
    answer: list[str] = json.loads(body)
    return answer


def test_a_customer_sees_their_orders() -> None:
    assert get("email=ada@example.org") == ["slide rule", "punch cards"]


def test_a_stranger_sees_nothing() -> None:
    assert get("email=nobody@example.org") == []
