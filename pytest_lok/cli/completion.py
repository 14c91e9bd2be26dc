"""``lok completion SHELL``: the script that teaches a shell to complete lok's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import OptionsCommand


def _completion(shell: str) -> int:
    ctx = click.get_current_context()
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the choices are click's own
    Invocation.of(ctx).deliver(kind(ctx.find_root().command, {}, "lok", "_LOK_COMPLETE").source())
    return 0


command = OptionsCommand(
    "completion",
    callback=_completion,
    params=[click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))],
    accepts=("output", "no_color"),
    help="""Print the script that completes verbs, workflows, their arguments and steps.

    \b
    bash:  lok completion bash >> ~/.bashrc
    zsh:   lok completion zsh >> ~/.zshrc
    fish:  lok completion fish > ~/.config/fish/completions/lok.fish
    """,
)
