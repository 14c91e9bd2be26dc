"""``lok help [VERB]``: the help of lok, or of a verb or workflow, as ``--help`` prints it."""

from __future__ import annotations

import click


def _help(words: tuple[str, ...]) -> int:
    here = click.get_current_context().find_root()
    if words == ("options",):
        click.echo(_options_page(here))
        return 0
    # the whole command line again, so that options before the verb and names of workflows count
    with here.command.make_context(here.info_name, [*words, "--help"], obj=here.obj) as asked:
        code: int = here.command.invoke(asked)
    return code


def _options_page(root: click.Context) -> str:
    """The options that verbs share, as the root command has them."""
    formatter = root.make_formatter()
    formatter.write_text(
        "They stand before the verb or after it. `lok VERB --help` shows which ones a verb takes."
    )
    with formatter.section("Options"):
        formatter.write_dl(
            [row for option in root.command.get_params(root) if (row := option.get_help_record(root))]
        )
    return formatter.getvalue().rstrip("\n")


command = click.Command(
    "help",
    callback=_help,
    params=[click.Argument(["words"], nargs=-1, metavar="[VERB|WORKFLOW|options]")],
    help="""Show the help of lok, of a verb or of a workflow: what --help after it shows. `lok help options`
    shows the options that verbs share.
    """,
)
