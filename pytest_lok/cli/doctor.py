"""``lok doctor``: what lok needs, whether it is there, and what to do about it."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pytest_lok.cli.doctor_checks import DoctorCheck
    from pytest_lok.wiring import Project

_WIDTH = 80
_WORKS, _NOTHING_WORKS, _NOT_KNOWN = 0, 1, 3


def _doctor(live: bool) -> int:
    from pytest_lok.cli.doctor_checks import (
        BACKEND,
        DoctorCheck,
        backend_checks,
        folded,
        lines,
        program_checks,
        settings_checks,
    )
    from pytest_lok.cli.trust import require_trust
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    here = Path()
    with contextlib.suppress(FileNotFoundError):  # a directory that is gone is told of below
        here = call.options.directory or Path.cwd()
    checks = [*program_checks(call.environ, here)]
    try:
        project = call.project()
    except UsageError as broken:
        remedy = broken.hint or "mend it; `lok schema settings` describes every key"
        checks.append(DoctorCheck(name="settings", ok=False, found=broken.message, remedy=remedy))
        code, summary = _NOTHING_WORKS, ["the settings are wrong, so nobody can be asked"]
    else:
        if live:
            project = require_trust(call, project)
        backends = backend_checks(project, live=live)
        checks += [*settings_checks(project), *backends]
        code, summary = _verdict(project, {it.name.removeprefix(BACKEND): it for it in backends})
    if call.json:
        plain = [asdict(check) for check in checks]
        call.deliver(dumps({"works": code == _WORKS, "summary": summary, "checks": plain}))
    else:
        last = [row for line in summary for row in folded(line, _WIDTH)]
        call.deliver("\n".join([*lines(checks, width=_WIDTH), "", *last]))
    return code


def _verdict(project: Project, checks: dict[str, DoctorCheck]) -> tuple[int, list[str]]:
    """The exit code, and the last lines: how many can answer, and whom a step asks that names nobody."""
    from pytest_lok.core.workflow.model import AUTO
    from pytest_lok.engine.asking.route import everybody, nearest_remedy, routes

    world, settings = project.world(shown=True), project.settings
    # rules answer nothing that they were not written for
    samples = {name for name in world.only_by_name if settings.backends[name].type == "scripted"}
    real = {name: it for name, it in checks.items() if name not in samples}
    ready = [name for name, check in real.items() if check.ok]
    open_ones = [name for name, check in real.items() if check.ok is None]
    if not ready and not open_ones:
        return _NOTHING_WORKS, [f"no backend can answer: {nearest_remedy(everybody(world), world)}"]
    count = f"{len(ready)} backend{'s' * (len(ready) != 1)} ready"
    asks = f"`lok doctor --live` asks {', '.join(open_ones)}"
    if not ready:
        summary = [f"nobody is known to be signed in: {asks}"]
    else:
        summary = [f"{count}; {asks}" if open_ones else count]
    names = [*settings.members(settings.defaults.backends)]
    if AUTO in names:
        usable = (
            it.backend
            for it in routes("", world)
            if it.problem is None and checks[it.backend].ok is not False
        )
        names = [f"{next(usable, 'nobody')} (auto)"]
    named = f"a step that names nobody asks {', '.join(names)}"
    summary.insert(0, f'{named}; [defaults] backend = "NAME" in lok.toml names another')
    return (_WORKS if ready else _NOT_KNOWN), summary


command = OptionsCommand(
    "doctor",
    callback=_doctor,
    params=[click.Option(["--live"], is_flag=True, help="Ask each usable backend one small question.")],
    accepts=("trust", "json", "output", *COMMON_OPTIONS),
    help="""Look at python, pytest, git, gh and glab, the settings files and every backend, and say what to do
    about what is missing; of command line tools also their version, and where their key is. "??" marks
    what nobody knows without a question, such as whether a tool is signed in. Nothing is asked and
    nothing is spent, unless --live is given: then each backend that seems usable answers a question of
    five words, or is not usable.

    \b
    Exit codes:  0  at least one backend can answer
                 1  none can, or the settings are wrong
                 3  nobody knows: a tool is there, and may not be signed in
    """,
)
