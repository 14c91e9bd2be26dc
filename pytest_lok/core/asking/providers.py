"""The providers whose API is a backend without settings: the variables they are known by, and a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Provider(NamedTuple):
    """A provider's API. The backend and its type have the same name.

    ``keys`` are the variables that may hold its key, the first that is set counts. ``url_variable`` may hold
    another base URL, as the provider's own programs read it. ``model`` is asked where nobody names one.
    ``tool`` is the backend that is the same provider's command line tool.
    """

    keys: tuple[str, ...]
    url_variable: str
    model: str
    tool: str


PROVIDERS: Mapping[str, Provider] = {
    "anthropic": Provider(
        keys=("ANTHROPIC_API_KEY",),
        url_variable="ANTHROPIC_BASE_URL",
        model="claude-sonnet-5-5",
        tool="claude",
    ),
    "openai": Provider(
        keys=("OPENAI_API_KEY",), url_variable="OPENAI_BASE_URL", model="gpt-6.1-sol", tool="codex"
    ),
    "gemini-api": Provider(
        keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        url_variable="GOOGLE_GEMINI_BASE_URL",
        model="gemini-3.5-flash",
        tool="gemini",
    ),
}
"""By the name of the backend. The models are those of everyday work; their prices are on the list."""


def is_url(text: str) -> bool:
    """Whether a question can be sent there: ``http://`` or ``https://``, and a host."""
    from urllib.parse import urlsplit  # most settings hold no address

    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # a bracket that is not closed, a port that is none
        return False
