"""The shop's own tests."""

from shop import ORDERS, connect


def test_every_order_is_stored() -> None:
    assert connect().execute("SELECT count(*) FROM orders").fetchone() == (len(ORDERS),)
