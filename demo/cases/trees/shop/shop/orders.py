"""Orders of the shop, in SQLite; amounts are whole cents."""

import sqlite3
import threading

PAGE = 20
_LOCK = threading.Lock()


def orders_of(db: sqlite3.Connection, customer: str, page: int = 0) -> list[tuple]:
    """One page of a customer's orders, the newest first."""
    rows = db.execute(
        "SELECT id, total, paid FROM orders WHERE customer = ? ORDER BY id DESC", (customer,)
    ).fetchall()
    start = page * PAGE
    return rows[start : start + PAGE]


def total(prices: list[int], discount: int = 0) -> int:
    """The sum in cents, less a discount in percent, which is rounded down."""
    whole = sum(prices)
    return whole - whole * discount // 100


def reserve(db: sqlite3.Connection, product: int, wanted: int) -> bool:
    """Take so many pieces out of the stock; False if there are not enough."""
    with _LOCK:
        (left,) = db.execute("SELECT left FROM stock WHERE product = ?", (product,)).fetchone()
        if left < wanted:
            return False
        db.execute("UPDATE stock SET left = ? WHERE product = ?", (left - wanted, product))
        db.commit()
    return True


def pay(db: sqlite3.Connection, order: int, charge) -> bool:
    """Charge the customer, and mark the order as paid if that worked."""
    try:
        charge(order)
    except ConnectionError:
        return False
    db.execute("UPDATE orders SET paid = 1 WHERE id = ?", (order,))
    db.commit()
    return True
