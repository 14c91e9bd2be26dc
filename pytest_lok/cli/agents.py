"""``lok agents``: one page by which an agent can use lok; ``lok help agents`` shows the same."""

from __future__ import annotations

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand


class _Page(OptionsCommand):
    """A command whose help is what it prints."""

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        return _page()


def _page() -> str:
    from importlib.resources import files

    return (files("pytest_lok.cli") / "agents.txt").read_text(encoding="utf-8").rstrip("\n")


def _print() -> int:
    Invocation.of(click.get_current_context()).deliver(_page())
    return 0


command = _Page(
    "agents",
    callback=_print,
    accepts=("output", *COMMON_OPTIONS),
)
