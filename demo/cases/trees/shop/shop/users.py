"""Users: who may do what, and how they prove who they are."""

import hashlib
import hmac
import json
import secrets

_ROUNDS = 200_000


def hashed(password: str, salt: bytes) -> bytes:
    """The hash of a password that is stored."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)


def is_right(password: str, salt: bytes, stored: bytes) -> bool:
    """Whether the password is the one that was hashed."""
    return hmac.compare_digest(hashed(password, salt), stored)


def new_token() -> str:
    """A token for the reset of a password."""
    return secrets.token_urlsafe(32)


def may_edit(user: dict, order: dict) -> bool:
    """An order may be edited by its owner as long as it is open, and by every admin."""
    return user["admin"] or (order["owner"] == user["id"] and order["open"])


def preferences(text: str) -> dict:
    """The preferences that a browser sent."""
    read = json.loads(text)
    if not isinstance(read, dict):
        raise ValueError("preferences are an object")
    return read
