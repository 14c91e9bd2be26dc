"""``lok doctor``: what lok needs, whether it is there, and what to do about it."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from pytest_lok import __version__
from pytest_lok.cli.backends import states
from pytest_lok.cli.call import Call
from pytest_lok.cli.options import EVERYWHERE, Verb
from pytest_lok.errors import UsageError

if TYPE_CHECKING:
    from pytest_lok.engine.ports import World

_NOTHING_WORKS = 1
_QUESTION = "Reply with one word: ready"
_PATIENCE = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at. ``remedy`` says what to do where it is not ``ok``."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def _doctor(live: bool) -> int:
    from pytest_lok.reports.json_report import dumps

    call = Call.of(click.get_current_context())
    checks = [*_programs(call.environ), *_project(call, live=live)]
    works = all(check.ok for check in checks if check.name == "settings") and any(
        check.ok for check in checks if check.name.startswith("backend ")
    )
    if call.json:
        call.deliver(dumps({"works": works, "checks": [asdict(check) for check in checks]}))
    else:
        call.deliver("\n".join(_lines(checks)))
        if not works:
            call.terminal.note("no backend can answer; any one of the remedies above is enough")
    return 0 if works else _NOTHING_WORKS


def _lines(checks: list[Check]) -> Iterator[str]:
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"{'ok' if check.ok else '--'}  {check.name:<{width}}  {check.found}"
        if check.remedy and not check.ok:
            yield f"    {'':<{width}}  {check.remedy}"


def _programs(environ: Mapping[str, str]) -> Iterator[Check]:
    from importlib.metadata import version

    yield Check(name="lok", ok=True, found=__version__)
    yield Check(name="python", ok=True, found=platform.python_version())
    yield Check(name="pytest", ok=True, found=version("pytest"))
    git = shutil.which("git", path=environ.get("PATH"))
    yield Check(
        name="git",
        ok=git is not None,
        found=_git_version(git) if git else "not found",
        remedy="install git: workflows that look at changes need it",
    )


def _git_version(git: str) -> str:
    said = subprocess.run([git, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.strip().removeprefix("git version ") or "does not start"


def _project(call: Call, *, live: bool) -> Iterator[Check]:
    try:
        project = call.project()
    except UsageError as broken:
        yield Check(name="settings", ok=False, found=broken.message, remedy=broken.hint)
        return
    yield Check(name="project", ok=True, found=str(project.root))
    files = ", ".join(project.settings.files) or "none found: built-in defaults"
    yield Check(name="settings", ok=True, found=files)
    checks = {
        str(state["name"]): Check(
            name=f"backend {state['name']}",
            ok=bool(state["available"]),
            found=str(state["problem"]) or " ".join(filter(None, [str(state["type"]), str(state["model"])])),
            remedy=str(state["hint"]),
        )
        for state in states(project)
    }
    if live:
        able = [name for name, check in checks.items() if check.ok]
        checks |= zip(able, _asked(project.world(), able), strict=True)
    yield from checks.values()


def _asked(world: World, names: Iterable[str]) -> list[Check]:
    """What comes of asking each of them something small, all at once."""
    import asyncio

    from pytest_lok.engine.ports import Prompt
    from pytest_lok.errors import BackendError

    async def ask(name: str) -> Check:
        backend = world.backends[name]
        try:
            reply = await backend.ask(Prompt(text=_QUESTION, timeout=_PATIENCE))
        except BackendError as error:
            found, remedy = world.redactor.text(error.message), world.redactor.text(error.hint)
            return Check(name=f"backend {name}", ok=False, found=found, remedy=remedy)
        finally:
            await backend.aclose()
        tokens = "" if reply.usage.tokens is None else f", {reply.usage.tokens} tokens"
        found = f"{reply.model or 'its own model'} answered in {reply.seconds:.1f} s{tokens}"
        return Check(name=f"backend {name}", ok=True, found=found)

    async def all_at_once() -> list[Check]:
        return await asyncio.gather(*map(ask, names))

    return asyncio.run(all_at_once())


command = Verb(
    "doctor",
    callback=_doctor,
    params=[click.Option(["--live"], is_flag=True, help="Ask each usable backend one small question.")],
    honours=("json", "output", *EVERYWHERE),
    short_help="Check what lok needs, and say what to do.",
    help="""Look at python, pytest, git, the settings files and every configured backend, and say what to do
    about what is missing. Nothing is asked and nothing is spent, unless --live is given: then each
    backend that seems usable answers a question of five words, or is not usable.

    Exit code 0 where at least one backend can answer, 1 where none can or the settings are wrong.
    """,
)
