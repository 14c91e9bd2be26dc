"""Text that others wrote -> text that no reader of a report obeys, and that holds no token."""

from __future__ import annotations

from pytest_lok.core.trust.redaction import Redactor
from pytest_lok.reports.escaping import escape_ci_commands, escape_control_chars

_TOKENS = Redactor()


def mask_tokens(text: str) -> str:
    """The text without tokens; do this before a text is cut, for half a token is not known for one."""
    return _TOKENS.text(text)


def escape_untrusted(text: str) -> str:
    """Text without tokens that neither a terminal, a CI runner nor a reader of JUnit files obeys.

    The engine has masked the secrets in what a run says; files, names and arguments may still hold tokens.
    """
    text = escape_control_chars(_TOKENS.text(text))
    return escape_ci_commands(text).replace("[[ATTACHMENT|", "[ [ATTACHMENT|")
