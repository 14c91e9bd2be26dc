"""``lok doctor``: what lok needs, whether it is there, and what to do about it."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.backends import backend_states
from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.core.asking.price_list import LIST_DATE
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import UsageError
from pytest_lok.version import __version__

if TYPE_CHECKING:
    from pytest_lok.core.trust.redaction import Redactor
    from pytest_lok.engine.ports import Backend, World

_NOTHING_WORKS = 1
_QUESTION = "Reply with one word: ready"
_ANSWER_TIMEOUT = 60.0  # seconds
_VERSION_TIMEOUT = 10.0
_BACKEND = "backend "
_UNKNOWN = "no key set; whether it is signed in, --live asks"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorCheck:
    """The result of one check. ``remedy`` says what to do where it is not ``ok``.

    A backend that is ok has a ``version`` if it is a program, and a ``sign_in`` if it needs a key.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    version: str = ""
    sign_in: str = ""


def _doctor(live: bool) -> int:
    from pytest_lok.reports.json_report import dumps

    call = Invocation.of(click.get_current_context())
    checks = [*_programs(call.environ), *_project(call, live=live)]
    # a tool that is missing matters only if no backend is left
    works = all(check.ok for check in checks if check.name == "settings") and any(
        check.ok for check in checks if check.name.startswith(_BACKEND)
    )
    if call.json:
        call.deliver(dumps({"works": works, "checks": [asdict(check) for check in checks]}))
    else:
        call.deliver("\n".join(_lines(checks)))
        if not works:
            call.terminal.note("no backend can answer; any one of the remedies above is enough")
    return 0 if works else _NOTHING_WORKS


def _lines(checks: list[DoctorCheck]) -> Iterator[str]:
    width = max(len(check.name) for check in checks)
    for check in checks:
        found = ", ".join(filter(None, [check.found, check.version, check.sign_in]))
        yield f"{'ok' if check.ok else '--'}  {check.name:<{width}}  {found}"
        if check.remedy and not check.ok:
            yield f"    {'':<{width}}  {check.remedy}"


def _programs(environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
    from importlib.metadata import version

    from pytest_lok.backends.cli.environment import search_path

    yield DoctorCheck(name="lok", ok=True, found=__version__)
    yield DoctorCheck(name="python", ok=True, found=platform.python_version())
    yield DoctorCheck(name="pytest", ok=True, found=version("pytest"))
    git = shutil.which("git", path=search_path(environ))
    yield DoctorCheck(
        name="git",
        ok=git is not None,
        found=_git_version(git) if git else "not found",
        remedy="install git: workflows that look at changes need it",
    )


def _git_version(git: str) -> str:
    said = subprocess.run([git, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.strip().removeprefix("git version ") or "does not start"


def _project(call: Invocation, *, live: bool) -> Iterator[DoctorCheck]:
    from pytest_lok.cli.trust import require_trust

    try:
        project = call.project()
    except UsageError as broken:
        yield DoctorCheck(name="settings", ok=False, found=broken.message, remedy=broken.hint)
        return
    if live:
        project = require_trust(call, project)
    yield DoctorCheck(name="project", ok=True, found=str(project.root))
    files = ", ".join(project.settings.files) or "none found: built-in defaults"
    yield DoctorCheck(name="settings", ok=True, found=files)
    if project.distrust:
        file = project.settings.restricted.file
        found = f"{file} is not trusted: it says what is run, or what is sent where"
        yield DoctorCheck(name="trust", ok=False, found=found, remedy="`lok trust` shows it and trusts it")
    own = f", {len(project.settings.prices)} of yours" if project.settings.prices else ""
    yield DoctorCheck(name="prices", ok=True, found=f"the vendors' of {LIST_DATE}{own}")
    checks = {
        f"{_BACKEND}{state['name']}": DoctorCheck(
            name=f"{_BACKEND}{state['name']}",
            ok=bool(state["available"]),
            found=str(state["problem"]) or " ".join(filter(None, [str(state["type"]), str(state["model"])])),
            remedy=str(state["hint"]),
        )
        for state in backend_states(project)
    }
    able = [check for check in checks.values() if check.ok]
    checks |= {check.name: check for check in _probed(project.world(shown=True), able, live=live)}
    yield from checks.values()


def _probed(world: World, checks: Iterable[DoctorCheck], *, live: bool) -> list[DoctorCheck]:
    """These checks, with the version and key of each backend; ``live`` asks each a question."""
    import asyncio

    async def tell(check: DoctorCheck) -> DoctorCheck:
        backend = world.backends[check.name.removeprefix(_BACKEND)]
        check = await _with_version_and_key(check, backend, world.redactor, live=live)
        return await _asked(check, backend, world.redactor) if live else check

    async def all_at_once() -> list[DoctorCheck]:
        return await asyncio.gather(*map(tell, checks))

    return asyncio.run(all_at_once())


async def _with_version_and_key(
    check: DoctorCheck, backend: Backend, redactor: Redactor, *, live: bool
) -> DoctorCheck:
    """The check with version and key, as far as they are known without a question."""
    from pytest_lok.engine.ports import HasApiKeyVariable, HasVersion
    from pytest_lok.errors import BackendError

    version = ""
    if isinstance(backend, HasVersion):
        try:
            version = await backend.version(limit=_VERSION_TIMEOUT)
        except BackendError as error:
            version = f"version unknown ({error.message})"
    key = backend.key_variable() if isinstance(backend, HasApiKeyVariable) else None
    sign_in = f"key in {key}" if key else "" if live or key is None else _UNKNOWN
    return replace(check, version=redactor.text(version), sign_in=sign_in)


async def _asked(check: DoctorCheck, backend: Backend, redactor: Redactor) -> DoctorCheck:
    """The check with the outcome of a small question."""
    from pytest_lok.engine.asking.checked_call import checked_call
    from pytest_lok.engine.ports import Prompt
    from pytest_lok.errors import BackendError

    try:
        reply = await checked_call(backend, Prompt(text=_QUESTION, timeout=_ANSWER_TIMEOUT))
    except BackendError as error:
        found, remedy = redactor.text(error.message), redactor.text(error.hint)
        return replace(check, ok=False, found=found, remedy=remedy)
    finally:
        await backend.aclose()
    tokens = "" if reply.usage.tokens is None else f", {reply.usage.tokens} tokens"
    found = f"{reply.model or 'its own model'} answered in {reply.seconds:.1f} s{tokens}"
    return replace(check, found=found)


command = OptionsCommand(
    "doctor",
    callback=_doctor,
    params=[click.Option(["--live"], is_flag=True, help="Ask each usable backend one small question.")],
    accepts=("trust", "json", "output", *COMMON_OPTIONS),
    short_help="Check what lok needs, and say what to do.",
    help="""Look at python, pytest, git, the settings files and every configured backend, and say what to do
    about what is missing; of command line tools also their version, and where their key is. Nothing
    is asked and nothing is spent, unless --live is given: then each backend that seems usable answers
    a question of five words, or is not usable.

    Exit code 0 where at least one backend can answer, 1 where none can or the settings are wrong.
    """,
)
