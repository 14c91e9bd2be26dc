"""``lok init``: a lok.toml that names who answers here, a first gate, and a job of CI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.discovery import FIRST
from pytest_lok.errors import LokError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_lok.cli.first_files import FirstFiles
    from pytest_lok.wiring import Project

_SYSTEMS = ("github", "gitlab")
_FIRST = f".lok/workflows/{FIRST}.toml"
_FROM_INDEX = (
    "the job's `pip install pytest-lok` needs the package on an index that the runner knows; until then "
    "write `pip install git+URL` there, with the URL of its repository"
)


def _init(ci: str | None) -> int:
    from pytest_lok.cli.first_files import CI_FILES, FirstFiles, ci_job

    call = Invocation.of(click.get_current_context())
    root = call.options.directory or Path.cwd()
    project = call.project(directory=root)
    own = [name for name in project.settings.files if name in ("lok.toml", "pyproject.toml")]
    name, is_known = _answerer(project)
    named = "backend" in project.settings.defaults.written
    # a job of CI must not be green because of a sample
    sample = not own and not name and not named and ci is None
    files = FirstFiles(
        backend="" if named else name, sample=sample, change=ci is not None or _has_base(project)
    )
    texts = {} if own else {"lok.toml": files.settings}
    texts |= {_FIRST: files.workflow, **_schemas()}
    if ci is not None:
        backend, key = _with_key(project, name)
        top, here = _repository(root), root.resolve()
        folder = "" if top == here else here.relative_to(top).as_posix()
        job = Path(os.path.relpath(top, here), CI_FILES[ci]).as_posix()
        texts[job] = ci_job(ci, backend=backend, key=key, folder=folder)
    asks_sample = bool(name) and _asks_sample(root)
    states = dict.fromkeys(own, "kept") | {
        path: _write_unless_there(root, path, text) for path, text in texts.items()
    }
    following = _next(files, name, is_known=is_known, asks_sample=asks_sample)
    if ci is not None:
        following.insert(1, _FROM_INDEX)
    if call.json:
        written = [{"file": path, "state": state} for path, state in states.items()]
        call.deliver_document({"backend": name, "sample": files.sample, "files": written, "next": following})
        return 0
    call.deliver("\n".join(f"{state:<5}  {path}" for path, state in states.items()))
    for line in following:
        call.terminal.note(line)
    return 0


def _repository(root: Path) -> Path:
    """The root of the git repository that the directory lies in; the directory itself if it lies in none."""
    root = root.resolve()
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)


def _answerer(project: Project) -> tuple[str, bool]:
    """Who answers best here, and whether that is known: one that is ready, or may be; "" = nobody."""
    from pytest_lok.cli.doctor_checks import BACKEND, backend_checks

    apart = project.world(shown=True).only_by_name
    checks = {it.name.removeprefix(BACKEND): it for it in backend_checks(project, live=False)}
    for wanted in (True, None):
        for name, check in checks.items():
            if check.ok is wanted and name not in apart:
                return name, bool(wanted)
    return "", False


def _with_key(project: Project, name: str) -> tuple[str, str]:
    """Who answers in CI, where no tool is installed and no server runs, and the variable with the key."""
    from pytest_lok.core.asking.providers import PROVIDERS

    settings = project.settings
    for whom in (*settings.members(settings.defaults.backends), name):
        if whom in settings.backends and (key := settings.backends[whom].api_key_env):
            return whom, key
        for api, provider in PROVIDERS.items():
            if whom in (api, provider.tool):
                return api, provider.keys[0]
    api, provider = next(iter(PROVIDERS.items()))
    return api, provider.keys[0]


def _has_base(project: Project) -> bool:
    """Whether git knows what a change of this branch is compared with."""
    import asyncio

    try:
        asyncio.run(project.world(shown=True).workspace.comparison([]))
    except LokError:
        return False
    return True


def _schemas() -> Mapping[str, str]:
    """The schemas that the files name for editors. Git need not know them: they are made anew anywhere."""
    from pytest_lok import settings
    from pytest_lok.core.workflow import document
    from pytest_lok.reports.json_report import dumps

    return {
        ".lok/schema/.gitignore": "*\n",
        ".lok/schema/settings.json": dumps(settings.schema()) + "\n",
        ".lok/schema/workflow.json": dumps(document.schema()) + "\n",
    }


def _asks_sample(root: Path) -> bool:
    """Whether the gate that is there names the sample: it was written when nobody else could answer."""
    from pytest_lok.cli.first_files import SAMPLE_ASKED

    try:
        return SAMPLE_ASKED in (root / _FIRST).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False


def _next(files: FirstFiles, name: str, *, is_known: bool, asks_sample: bool) -> list[str]:
    """What to say at the end: who answers, and how to see green and red."""
    if files.sample:
        who = "nobody can answer yet, so a sample does; `lok doctor` says how to get a real answer"
    elif not name:
        who = "nobody can answer yet; `lok doctor` says what to do"
    else:
        who = f"{name} answers" if is_known else f"{name} answers if you are signed in to it"
    old = (
        f"but {_FIRST} still asks the sample: delete its step `only-a-sample` and its line "
        'backend = "sample", then the sample in lok.toml'
    )
    first = [who, old] if asks_sample else [who]
    return [*first, "next: lok first", "red:  echo 'eval(input())' > oops.py && lok first"]


def _write_unless_there(root: Path, name: str, text: str) -> str:
    """Write a file unless it is there; ``wrote`` or ``kept``."""
    path = root / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mode x: what is there is never overwritten, not even by two calls at a time
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as failure:
        if path.is_file():
            return "kept"
        raise LokError(f"cannot write {path}: {failure.strerror}") from failure
    return "wrote"


command = OptionsCommand(
    "init",
    callback=_init,
    params=[
        click.Option(
            ["--ci"], type=click.Choice(_SYSTEMS), default=None, help="Write a job of this CI system too."
        )
    ],
    accepts=("json", "output", *COMMON_OPTIONS),
    help="""Look at who can answer here, and write a lok.toml that names them, and the gate
    .lok/workflows/first.toml. With --ci github or --ci gitlab a job that runs the workflows is written too.
    The job lies at the root of the git repository, where CI looks for it. The files name their JSON Schema,
    below .lok/schema, for editors.

    What is there already is kept as it is. Where nobody can answer, lok.toml holds a sample of rules, so that
    `lok first` runs at once; the sample is no review, and fails where CI is set.
    """,
)
