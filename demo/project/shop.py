"""A tiny shop: its orders live in SQLite."""

from __future__ import annotations

import sqlite3

ORDERS = [
    (1, "ada@example.org", "slide rule", 12),
    (2, "ada@example.org", "punch cards", 5),
    (3, "alan@example.org", "bicycle chain", 30),
]


def connect() -> sqlite3.Connection:
    """A database with three orders of two customers."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, email TEXT, item TEXT, price INTEGER)")
    db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", ORDERS)
    return db
