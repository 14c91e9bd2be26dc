"""Untrusted text -> text that neither a terminal nor a CI log obeys."""

from __future__ import annotations

from pytest_lok.late_regex import late_regex

# C0 but tab and newline, DEL, C1, marks of direction, line separators, lone surrogates, tag characters
_UNSEEN = late_regex(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
# a workflow command stands at the start of a line, after blanks
_LINE_COMMAND = late_regex(r"(?m)(^|[\r\v\f\x85\u2028\u2029])([^\S\n\r\v\f\x85\u2028\u2029]*)::")
# `##[error]`, `##vso[...]`: the older form acts anywhere in a line
_HASH_COMMAND = late_regex(r"##(?=\w*\[)")


def escape_control_chars(text: str) -> str:
    r"""Control, direction and other unseen characters spelled out (``\x1b``); tabs and newlines stay."""
    return _UNSEEN.sub(
        lambda found: found.group().encode("unicode_escape").decode("ascii"), text.replace("\r\n", "\n")
    )


def escape_ci_commands(text: str) -> str:
    """No line commands a CI runner any more: ``::error`` becomes ``: :error``, ``##[`` becomes ``# #[``."""
    return _HASH_COMMAND.sub("# #", _LINE_COMMAND.sub(r"\1\2: :", text))
