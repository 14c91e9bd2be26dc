"""What `lok doctor` looks at: programs, settings and backends, each with what is seen of it."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.cli.backends import BackendState, backend_states
from pytest_lok.core.asking.price_list import LIST_DATE
from pytest_lok.dataclass import dataclass
from pytest_lok.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lok.core.trust.redaction import Redactor
    from pytest_lok.engine.ports import Backend, World
    from pytest_lok.wiring import Project

BACKEND = "backend "
"""What the names of the checks of backends begin with."""

_QUESTION = "Reply with one word: ready"
_ANSWER_TIMEOUT = 60.0  # seconds
_PROGRAM_TIMEOUT = 10.0
_FORGES = {
    "gh": ("GitHub", "https://cli.github.com", ("auth", "token")),
    "glab": ("GitLab", "https://gitlab.com/gitlab-org/cli", ("config", "get", "token")),
}

_PYTEST_FILES = {
    **dict.fromkeys(("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"), ""),
    "pyproject.toml": "[tool.pytest",
    "tox.ini": "[pytest]",
    "setup.cfg": "[tool:pytest]",
}
"""The files that configure pytest, each with the table that it must have, "" = none. The first one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorCheck:
    """The result of one check. ``ok`` None = not known. ``remedy`` says what to do where it is not True.

    A backend has a ``version`` if it is a program, and a ``sign_in`` if it needs a key. A ``note`` is for
    people too.
    """

    name: str
    ok: bool | None
    found: str
    remedy: str = ""
    version: str = ""
    sign_in: str = ""
    note: str = ""


def program_checks(environ: Mapping[str, str], root: Path) -> Iterator[DoctorCheck]:
    """Python and pytest, with what slows pytest down in ``root``; git and the tools of forges."""
    from importlib.metadata import entry_points, version

    yield DoctorCheck(name="lok", ok=True, found=__version__)
    yield DoctorCheck(name="python", ok=True, found=platform.python_version())
    yield DoctorCheck(name="pytest", ok=True, found=version("pytest"))
    if any(it.name == "anyio" for it in entry_points(group="pytest11")):
        found = "anyio's plugin takes 0.1 s and more of every session"
        remedy = f"unless your tests use it: {_addopts(root)}"
        yield DoctorCheck(name="pytest plugins", ok=None, found=found, remedy=remedy)
    version_of_git = _said(environ, "git", "--version")
    yield DoctorCheck(
        name="git",
        ok=version_of_git is not None,
        found="not found" if version_of_git is None else version_of_git.removeprefix("git version "),
        remedy="install git: workflows that look at changes need it",
    )
    yield from _forge_checks(environ)


def _addopts(root: Path) -> str:
    """The line that leaves anyio's plugin out, in the form of the file that configures pytest here."""
    for directory in (root, *root.parents):
        for name, table in _PYTEST_FILES.items():
            try:
                text = (directory / name).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if not table or any(line.startswith(table) for line in text.splitlines()):
                value = '["-p", "no:anyio"]' if name.endswith(".toml") else "-p no:anyio"
                return f"addopts = {value} in {name}"
    return "addopts = -p no:anyio below [pytest] in a new pytest.ini"


def _forge_checks(environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
    from pytest_lok.backends.cli.environment import search_path

    there = [name for name in _FORGES if shutil.which(name, path=search_path(environ))]
    for name in there:
        forge, _, question = _FORGES[name]
        signed_in = bool(_said(environ, name, *question))
        yield DoctorCheck(
            name=name,
            ok=True if signed_in else None,
            found=f"signed in to {forge}" if signed_in else f"no token for {forge}",
            remedy=f"`{name} auth login`: `lok pr`, `lok ci` and `lok fix` read {forge} with it",
        )
    if not there:
        places = " or ".join(place for _, place, _ in _FORGES.values())
        remedy = f"{places}: `lok pr`, `lok ci` and `lok fix` need one"
        yield DoctorCheck(name="gh, glab", ok=False, found="not found", remedy=remedy)


def _said(environ: Mapping[str, str], program: str, *words: str) -> str | None:
    """What a program prints; None where it is not there, fails, or takes too long."""
    from pytest_lok.backends.cli.environment import search_path

    path = shutil.which(program, path=search_path(environ))
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *words],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=_PROGRAM_TIMEOUT,
            env={**environ},
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def settings_checks(project: Project) -> Iterator[DoctorCheck]:
    """Where the project is, which settings it has, and whether they count."""
    settings = project.settings
    yield DoctorCheck(name="project", ok=True, found=str(project.root))
    files = ", ".join(settings.files) or "no file: what is built in"
    yield DoctorCheck(name="settings", ok=True, found=files)
    if project.distrust:
        found = f"{settings.restricted.file} is not trusted: it says what is run, or what is sent where"
        yield DoctorCheck(name="trust", ok=False, found=found, remedy="`lok trust` shows it and trusts it")
    own = f", {len(settings.prices)} of yours" if settings.prices else ""
    yield DoctorCheck(name="prices", ok=True, found=f"the vendors' of {LIST_DATE}{own}")


def backend_checks(project: Project, *, live: bool) -> list[DoctorCheck]:
    """Each backend with its version and key; ``live`` asks those a question that can answer one."""
    import asyncio

    states = {state.name: state for state in backend_states(project)}
    checks = {name: _seen(state) for name, state in states.items()}
    able = [name for name, check in checks.items() if check.ok]
    world = project.world(shown=True)

    async def all_at_once() -> list[DoctorCheck]:
        looks = (_look(checks[name], states[name], world, live=live) for name in able)
        return await asyncio.gather(*looks)

    checks |= zip(able, asyncio.run(all_at_once()), strict=True)
    if any(check.ok and not states[name].by_name for name, check in checks.items()):
        # somebody answers, so nobody needs what no file speaks of
        idle = [name for name, state in states.items() if state.problem and not state.is_written]
        checks |= {name: replace(checks[name], remedy="") for name in idle}
    return list(checks.values())


def _seen(state: BackendState) -> DoctorCheck:
    is_able = not state.problem
    model = state.model and f" {state.model}"
    found = f"{state.type}{model}" if is_able else state.shown_problem
    by_name = f"asked only by name, because {state.by_name}" if state.by_name else ""
    return DoctorCheck(
        name=f"{BACKEND}{state.name}",
        ok=is_able,
        found=found,
        note=by_name,
        remedy="" if state.is_keyless else state.hint,
    )


async def _look(check: DoctorCheck, state: BackendState, world: World, *, live: bool) -> DoctorCheck:
    """The check of a backend that can be asked, with all that is known without a question, or with one."""
    from pytest_lok.engine.ports import HasApiKeyVariable, HasVersion
    from pytest_lok.errors import BackendError

    backend, redactor = world.backends[state.name], world.redactor
    version, sign_in, session, is_known = "", "", "", True
    if isinstance(backend, HasVersion):
        session = backend.session_file()
        try:
            version = await backend.version(limit=_PROGRAM_TIMEOUT)
            # a launcher such as npx is there, and nobody knows whether what it launches is
            is_known = bool(version) or state.type == "command"
        except BackendError as error:
            version, is_known = f"version unknown ({error.message})", False
    key = backend.key_variable() if isinstance(backend, HasApiKeyVariable) else None
    if key is not None:
        sign_in = f"key in {key}" if key else f"signed in, says {session}" if session else "signed in?"
        is_known = is_known and bool(key or session)
    check = replace(check, version=redactor.text(version), sign_in="" if live and not key else sign_in)
    if live:
        return await _asked(check, backend, redactor)
    if is_known:
        return check
    who = state.name if state.type == "acp" else state.type
    remedy = f"`lok doctor --live` asks it; sign in with {who}, or export its key"
    return replace(check, ok=None, remedy=remedy)


async def _asked(check: DoctorCheck, backend: Backend, redactor: Redactor) -> DoctorCheck:
    """The check with the outcome of a small question."""
    from pytest_lok.engine.asking.checked_call import checked_call, close_all
    from pytest_lok.engine.asking.hints import LateAnswerError
    from pytest_lok.engine.ports import Prompt
    from pytest_lok.errors import BackendError

    try:
        reply = await checked_call(backend, Prompt(text=_QUESTION, timeout=_ANSWER_TIMEOUT))
    except BackendError as error:
        late = isinstance(error, LateAnswerError)
        hint = f"`lok ask -b {backend.name} hello` waits longer" if late else error.hint
        found, remedy = redactor.text(error.message), redactor.text(hint)
        return replace(check, ok=False, found=found, remedy=remedy)
    finally:
        await close_all([backend])
    tokens = "" if reply.usage.tokens is None else f", {reply.usage.tokens} tokens"
    found = f"{reply.model or 'its own model'} answered in {reply.seconds:.1f} s{tokens}"
    return replace(check, found=found)


def lines(checks: Iterable[DoctorCheck], *, width: int) -> Iterator[str]:
    """A line per check, and its remedy below, broken at words so that none is longer than ``width``."""
    checks = list(checks)
    column = max(len(check.name) for check in checks) + 6
    for check in checks:
        mark = {True: "ok", False: "--", None: "??"}[check.ok]
        found = ", ".join(filter(None, [check.found, check.version, check.sign_in]))
        said = "\n".join([found, check.note, "" if check.ok else check.remedy])
        rows = [row for line in said.splitlines() for row in folded(line, width - column)]
        for number, row in enumerate(rows or [""]):
            head = f"{mark}  {check.name}" if number == 0 else ""
            yield f"{head:<{column}}{row}".rstrip()


def folded(line: str, width: int) -> list[str]:
    """The line broken at words; a line of a file stays as it is, for the next one points into it."""
    from textwrap import wrap

    if line.startswith("    "):
        return [line]
    return wrap(line, max(width, 20), break_long_words=False, break_on_hyphens=False, subsequent_indent="")
