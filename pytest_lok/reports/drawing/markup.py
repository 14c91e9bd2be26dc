"""Texts and elements -> HTML or SVG in which text of others stays text, whatever stands in it."""

from __future__ import annotations

from markupsafe import Markup, escape

from pytest_lok.late_regex import late_regex
from pytest_lok.reports.untrusted import escape_untrusted

_NO_CHARACTERS = late_regex("[\ufdd0-\ufdef\ufffe\uffff]")  # neither XML nor HTML takes them


def element(tag: str, /, *children: str, **attributes: str | float | bool | None) -> Markup:
    """``<name attribute="value">children</name>``: only what is Markup already stands there as it is.

    ``class_`` is the attribute ``class``, ``stroke_width`` is ``stroke-width``. True is an attribute without
    a value; one that is None, False or "" is left out.
    """
    return Markup(f"{_opened(tag, attributes)}{joined(*children)}</{tag}>")  # noqa: S704 - of escaped parts


def void(tag: str, /, **attributes: str | float | bool | None) -> Markup:
    """An element of HTML that has no children and no end, such as ``<meta>``."""
    return Markup(_opened(tag, attributes))  # noqa: S704 - of escaped parts


def joined(*children: str) -> Markup:
    """The children one after the other, those escaped that are no Markup."""
    return Markup("".join([it if isinstance(it, Markup) else neutral(it) for it in children]))  # noqa: S704


def neutral(text: str) -> Markup:
    """A text that no reader of HTML or XML takes for more, and that holds no token."""
    if text.isalnum() and text.isascii():
        return Markup(text)  # noqa: S704 - letters and digits
    said = escape_untrusted(text)
    return escape(_NO_CHARACTERS.sub(lambda found: f"\\u{ord(found.group()):04x}", said))


def _opened(tag: str, attributes: dict[str, str | float | bool | None]) -> str:
    said = [f"<{tag}"]
    for key, value in attributes.items():
        spelled = key.rstrip("_").replace("_", "-")
        if value is True:
            said.append(f" {spelled}")
        elif value is not None and value is not False and value != "":
            text = f"{value:.7g}" if isinstance(value, float) else str(value)
            said.append(f' {spelled}="{neutral(text)}"')
    return "".join([*said, ">"])
