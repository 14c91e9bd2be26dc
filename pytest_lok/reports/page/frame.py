"""The body of a page -> a whole page of HTML that needs nothing else, and may load nothing."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from pytest_lok.reports.drawing.markup import element, void
from pytest_lok.version import __version__


def framed(title: str, main: Markup, *, style: str = "", controls: Markup | None = None) -> str:
    """The page. ``style`` is added to that of all pages; without ``controls`` the page has no script."""
    style, script = f"{_asset('style.css')}{style}", _asset("page.js") if controls else ""
    scripts = f"'{_digest(script)}'" if script else "'none'"
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src {scripts}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        void("meta", charset="utf-8"),
        void("meta", http_equiv="Content-Security-Policy", content=Markup(policy)),  # noqa: S704 - ours
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="referrer", content="no-referrer"),
        void("meta", name="color-scheme", content="light dark"),
        void("meta", name="generator", content=f"pytest-lok {__version__}"),
        element("title", title),
        element("style", Markup(style)),  # noqa: S704 - ours
    )
    footer = element("footer", f"pytest-lok {__version__}. This page needs no network, and asks for nothing.")
    body = element(
        "body",
        controls or "",
        element("main", main),
        footer,
        element("script", Markup(script)) if script else "",  # noqa: S704 - ours
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


@cache
def _asset(name: str) -> str:
    """A file of this package: part of the program, like its code."""
    return (files("pytest_lok.reports.page") / name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
