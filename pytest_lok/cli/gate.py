"""``lok gate WORKFLOW``: judge a change that nobody trusts by the workflow of the commit that it goes to."""

from __future__ import annotations

import os
import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import Options
from pytest_lok.cli.resolve import options_among
from pytest_lok.cli.run import run_plan
from pytest_lok.cli.workflow_command import PlanAction, WorkflowCommand, WorkflowGroup
from pytest_lok.errors import PlanError, StepUnableError, UsageError, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.core.workflow.plan import Plan
    from pytest_lok.wiring import Project
    from pytest_lok.wiring.judged_change import JudgedProject

_OWN = ("base", "head", "staged")
_ACCEPTS = (
    *_OWN,
    "backend",
    "fail_fast",
    "timeout",
    "max_parallel",
    "trust",
    "verbose",
    "quiet",
    "json",
    "output",
    "reports",
    "reviewed",
    "reviewed_from",
    "directory",
    "no_color",
)


class _GateCommand(WorkflowCommand):
    """A workflow of the base, which judges the head."""

    def __init__(self, name: str, workflow: Workflow, judged: JudgedProject, action: PlanAction) -> None:
        super().__init__(name, workflow, action, _ACCEPTS)
        self._judged = judged

    def _project(self, call: Invocation) -> Project:  # noqa: ARG002 - the change is known already
        return self._judged.project


class _GateGroup(WorkflowGroup):
    """The workflows of the base."""

    def find_command(self, ctx: click.Context, name: str, rest: Sequence[str]) -> click.Command:
        """The workflow of that name in the base; UsageError if there is none, or if it must not judge."""
        if "/" in name or name.endswith(".toml"):
            hint = "give the name of a workflow: that of the base is read, and no file of the change"
            raise UsageError(f"{name} is a path", hint=hint)
        call = Invocation.of(ctx)
        if call.options.resume:
            hint = f"type its command again: lok gate {name}"
            raise UsageError("a run of `lok gate` is not gone on from: it judges all anew", hint=hint)
        options = _merged(call.options, options_among(rest))
        judged = _opened(ctx, call, options)
        project = judged.project
        if name not in {entry.stem for entry in project.catalog.entries()}:
            raise UsageError(
                f"the base ({judged.base[:12]}) has no workflow {name!r}",
                hint="a workflow judges changes as soon as it is merged; `lok run` runs it here and now",
            )
        workflow = project.load(name)
        _require_judge(workflow, project)

        def judge(call: Invocation, project: Project, plan: Plan) -> int:
            return _judge(call, project, plan, judged)

        return _GateCommand(name, workflow, judged, judge)


def _merged(before: Options, after: Options) -> Options:
    """The options before the name, and those behind it, which win."""
    default = Options()
    names = [field.name for field in fields(Options)]
    return replace(
        before,
        **{name: value for name in names if (value := getattr(after, name)) != getattr(default, name)},
    )


def _opened(ctx: click.Context, call: Invocation, options: Options) -> JudgedProject:
    """The base's project with the tree of the head, both below a directory that is gone afterwards."""
    import tempfile
    from pathlib import Path

    from pytest_lok.wiring.judged_change import ChangeToJudge, open_judged

    for name, said in (("base", options.base), ("head", options.head)):
        if said is not None and not said.strip():
            hint = "the variable behind it is not set: another event of CI has others"
            raise UsageError(f"--{name} is empty", hint=hint)
    if options.staged and (options.base or options.head):
        raise UsageError("--staged excludes --base and --head", hint="what is staged goes to HEAD")
    folder = tempfile.TemporaryDirectory(prefix="lok-gate-", ignore_cleanup_errors=True)
    ctx.find_root().call_on_close(folder.cleanup)
    return open_judged(
        options.directory or Path.cwd(),
        ChangeToJudge(
            base=options.base or "",
            head=options.head or "",
            staged=options.staged,
            imported_from=tuple(sys.path),
        ),
        Path(folder.name).resolve(),
        environ=call.environ,
        options=options.settings,
        search_up=options.directory is None,
        trust=options.trust,
    )


def _require_judge(workflow: Workflow, project: Project) -> None:
    """UsageError where the workflow must not run in the tree of a change, or the base is not trusted."""
    from pytest_lok.core.workflow.untrusted import refusals

    for name in _OWN:
        if name in workflow.args:
            raise PlanError(
                f"workflow {workflow.stem!r} has an argument {name!r}, and --{name} is one of `lok gate`",
                hint="give the argument another name",
            )
    if found := refusals(workflow, project.settings.defaults.command_wrapper):
        raise WorkflowError(found)
    if distrust := project.distrust:
        raise distrust


def _refuse_links(call: Invocation, project: Project) -> None:
    """UsageError where what is to be written lies behind a link of the clone: the change may have made it."""
    from pathlib import Path

    from pytest_lok.wiring.report_files import GITLAB_FILE

    assert project.judged is not None  # noqa: S101 - this verb has made it so
    top = project.judged.top
    reports = [text.partition("=")[2] for text in call.options.reports]
    if call.environ.get("GITLAB_CI"):
        reports.append(os.path.join(call.environ.get("CI_PROJECT_DIR", ""), GITLAB_FILE))  # noqa: PTH118
    output = [str(call.options.output)] if call.options.output else []
    for name in filter(None, [*reports, *output]):
        path = Path(os.path.abspath(name))  # noqa: PTH100 - resolve() would follow the links
        for part in (path, *path.parents):
            if part != top and part.is_relative_to(top) and part.is_symlink():
                hint = "write it outside of the repository, or under another name"
                raise UsageError(f"{name} lies behind the link {part}, which may be the change's", hint=hint)


def _judge(call: Invocation, project: Project, plan: Plan, judged: JudgedProject) -> int:
    """Run the plan in the tree of the head, with what its configuration comes to; returns the exit code."""
    from pytest_lok.core.findings.configuration import configuration_step
    from pytest_lok.core.workflow.model import UntrustedChanges

    if not judged.changed:
        same = f"{judged.head[:12]} changes nothing"
        hint = f"name the commit that is to be judged, --head ID; the base is {judged.base[:12]}"
        if call.options.staged:
            same, hint = "nothing is staged", "stage it with git add; without --staged a commit is judged"
        raise StepUnableError(f"{same}, so there is nothing to judge", hint=hint)
    _refuse_links(call, project)
    if not (call.options.quiet or call.options.json):
        what = "what is staged" if call.options.staged else judged.head[:12]
        call.terminal.note(f"judging {what} by {plan.workflow.stem} of {judged.base[:12]}")
        call.terminal.note(f"recorded below {project.runs.folder}")
    workflow = plan.workflow
    findings = judged.findings_for(workflow)
    if not findings:
        return run_plan(call, project, plan)
    if call.options.staged:  # whoever commits could as well leave the hook out
        told = replace(workflow.untrusted or UntrustedChanges(), configuration="report")
        workflow = replace(workflow, untrusted=told)
    step, result = configuration_step(workflow, findings)
    plan = replace(plan, steps=(step, *plan.steps), selected=plan.selected | {step.name})
    return run_plan(call, project, plan, known=[result])


command = _GateGroup(
    "gate",
    action=run_plan,  # of a command of the group its own counts
    accepts=_ACCEPTS,
    help="""Judge a change that nobody trusts: WORKFLOW of --base runs on the files of --head.

    Workflow, settings and baseline are those of the base. The head is data, in a tree of its own: nothing
    there is imported, obeyed or edited. Commands may only read, but for the programs that the workflow names
    in `[untrusted] programs`. They see a closed list of the environment, and tools of models run in an
    empty directory. A change of what decides about changes (workflows and settings of lok, the
    configuration of pytest, CI or an agent, links, submodules) is a finding of its own, which blocks.

    \b
    Exit codes:  0  the work was done, and every check held
                 1  a step judged no, or the change edits what decides about
                    changes
                 2  a usage or workflow-file error, or a job in which the change
                    could run with secrets; nothing was run
                 3  a step could not do its work: no key (a fork), no base, a
                    backend that is lost
    """,
)
