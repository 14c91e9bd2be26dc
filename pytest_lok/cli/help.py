"""``lok help [VERB]``: the help of lok, or of a verb or workflow, as ``--help`` prints it."""

from __future__ import annotations

import click


def _help(words: tuple[str, ...]) -> int:
    here = click.get_current_context().find_root()
    # the whole command line again, so that options before the verb and names of workflows count
    with here.command.make_context(here.info_name, [*words, "--help"], obj=here.obj) as asked:
        code: int = here.command.invoke(asked)
    return code


command = click.Command(
    "help",
    callback=_help,
    params=[click.Argument(["words"], nargs=-1, metavar="[VERB|WORKFLOW]")],
    help="Show the help of lok, of a verb or of a workflow: what --help after it shows.",
)
