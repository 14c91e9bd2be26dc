"""Commands that run commands: the command is judged, wherever its words come from."""

from __future__ import annotations

import pytest

from tests.core.shell.safety.reviewed import refusal


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sh -c {{ x }}", "argument of `sh -c`"),
        ("sh -c 'echo a' {{ x }}", "argument of `sh -c`"),
        ("V={{ x }} sh -c 'echo \"$V\"'", ""),
        ("V={{ x }} sh -c 'eval \"$V\"'", "`eval` reads later"),
        ("sh {{ x }}", "argument of `sh`"),
        ("python {{ x }}", "argument of `python`"),
        ("python s.py {{ x }}", ""),
        ("python -c 'print(1)' {{ x }}", ""),
        ("python -c {{ x }}", "argument of `python -c`"),
        ("env {{ x }}", "name of a command"),
        ("env A={{ x }} true", ""),
        ("env LD_PRELOAD={{ x }} true", "decides what is run"),
        ("timeout 5 {{ x }}", "name of a command"),
        ("timeout 5 echo {{ x }}", ""),
        ("sudo --frob {{ x }} true", "argument of `sudo --frob`"),
        ("command -v {{ x }}", ""),
        ("uv run {{ x }}", "name of a command"),
        ("xargs {{ x }}", "argument of `xargs`"),
        ("echo {{ x }} | xargs sh -c", "which runs it as code"),
        ("echo {{ x }} | xargs rm", "take it for an option"),
        ("echo {{ x }} | xargs -I@ echo @", ""),
        ("exec 3< {{ x }}", "which passes it on"),
        ("watch {{ x }}", "argument of `watch`"),
        ("chroot / echo {{ x }}", "argument of `chroot`"),
    ],
)
def test_a_value_is_refused_where_it_would_be_more_than_data(text: str, why: str) -> None:
    assert refusal(text) == "" if not why else why in refusal(text)
