"""GET /orders lists a customer's orders as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from shop import connect

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def orders_of(db: sqlite3.Connection, email: str) -> list[str]:
    """What this customer ordered, oldest first."""
    rows = db.execute("SELECT item FROM orders WHERE email = ? ORDER BY id", (email,))
    return [item for (item,) in rows]


def answer(db: sqlite3.Connection, query: str) -> list[str]:
    """What a request with this query string sees."""
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    return orders_of(db, asked.get("email", ""))


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The WSGI application."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer(connect(), environ.get("QUERY_STRING", ""))).encode()]
