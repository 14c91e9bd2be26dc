"""``lok schema``: JSON Schema of workflow files, of the settings, or of the cases of `lok eval`."""

from __future__ import annotations

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand


def _schema(what: str) -> int:
    from pytest_lok.core.workflow import document
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    if what == "settings":
        from pytest_lok import settings

        call.deliver(dumps(settings.schema()))
    elif what == "case":
        from pytest_lok.core.evaluation import case_document

        call.deliver(dumps(case_document.schema()))
    else:
        call.deliver(dumps(document.schema()))
    return 0


command = OptionsCommand(
    "schema",
    callback=_schema,
    params=[
        click.Argument(["what"], type=click.Choice(["workflow", "settings", "case"]), default="workflow")
    ],
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""Print the JSON Schema of workflow files, for editors.

    `lok schema settings` prints that of lok.toml, `lok schema case` that of the case.toml of `lok eval`.
    """,
)
