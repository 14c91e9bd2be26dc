"""One call of lok: the environment, the terminal and the options that a verb gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.options import Options
from pytest_lok.cli.terminal import Terminal
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.engine.ports import World
    from pytest_lok.wiring import Project
    from pytest_lok.wiring.run_records import RunRecorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What a verb gets to know of its call; ``words`` are those of the command line behind ``lok``."""

    environ: Mapping[str, str]
    terminal: Terminal
    options: Options
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, ctx: click.Context) -> Invocation:
        """The invocation of this context, with the options that were parsed until now."""
        call = ctx.find_object(cls)
        assert call is not None  # noqa: S101 - main puts it there
        options = Options.of(ctx)
        return cls(environ=call.environ, terminal=call.terminal, options=options, words=call.words)

    def record(self, project: Project, plan: Plan, world: World) -> RunRecorder:
        """Begin the record of a run of this call; LokError where it cannot be written anywhere."""
        from pytest_lok.errors import LokError
        from pytest_lok.wiring.run_records import RunRecorder

        try:
            return RunRecorder.begin(project, plan, world.redactor, ("lok", *self.words))
        except OSError as failure:
            raise LokError(f"the run cannot be recorded: {failure}") from failure

    @property
    def color(self) -> bool:
        """Whether output may have colours."""
        return not (self.options.no_color or self.environ.get("NO_COLOR"))

    @property
    def json(self) -> bool:
        """Whether results are printed as JSON: by ``--json``, or by the suffix of the output file."""
        output = self.options.output
        return self.options.json or (output is not None and output.suffix == ".json")

    @property
    def screen_width(self) -> int | None:
        """Columns of the terminal that results are printed on; None where they go to a file or a pipe."""
        on_screen = self.terminal.out.isatty() and self.options.output is None
        return self.terminal.width if on_screen else None

    def project(self, *, directory: Path | None = None, config: Path | None = None) -> Project:
        """The project in ``--dir`` (exactly that directory), else the one that the current directory lies in.

        ``directory`` and ``config`` win over the options that were parsed until now.
        """
        from pathlib import Path

        from pytest_lok.wiring import Project

        directory = directory or self.options.directory
        try:
            here = directory or Path.cwd()
        except FileNotFoundError:
            raise UsageError("the current directory is gone", hint="go to another, or use --dir") from None
        return Project.open(
            here,
            environ=self.environ,
            config=config or self.options.config,
            options=self.options.settings,
            search_up=directory is None,
            trust=self.options.trust,
        )

    def deliver_document(self, document: object) -> None:
        """Deliver the document of ``--json``: dataclasses and plain values as JSON."""
        from pytest_lok.reports.json_report import dumps

        self.deliver(dumps(document))

    def deliver(self, text: str) -> None:
        """Print results, or write them to the file of ``--output``; LokError where it cannot be written."""
        from pytest_lok.files import write_output

        self.terminal.delivered = True
        if self.options.output is None:
            self.terminal.result(text)
        else:
            write_output(self.options.output, text if text.endswith("\n") or not text else f"{text}\n")
