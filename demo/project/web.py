"""GET /orders?email=... lists a customer's orders as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def orders_of(db: sqlite3.Connection, email: str) -> list[str]:
    """What this customer ordered, oldest first."""
    rows = db.execute("SELECT item FROM orders WHERE email = ? ORDER BY id", (email,))
    return [item for (item,) in rows]


class Orders:
    """The WSGI application."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        email = parse_qs(environ.get("QUERY_STRING", "")).get("email", [""])[0]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(orders_of(self.db, email)).encode()]
