"""``lok workflow install|update|remove``: workflows of other people, pinned by the digest of their file."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import LokError, UsageError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.store.installed import Installed, InstalledWorkflows
    from pytest_lok.wiring import Project

_MOST_BYTES = 1 << 20
_MOST_REDIRECTS = 5
_SECONDS = 30.0
_DECLINED = 2
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _install(source: str | None, name: str, user: bool, frozen: bool, yes: bool) -> int:
    call = Invocation.of(click.get_current_context())
    project = call.project()
    installed = _installed(project, user)
    if source is None:
        if not frozen or name:
            raise UsageError(
                "what is to be installed?", hint="give a URL or a path, or --frozen for all of lok.lock"
            )
        return _restore(call, project, installed)
    name = name or Path(urlsplit(source).path).stem
    _require_name(name)
    known = installed.read().get(name)
    if known is None and installed.file(name).exists():
        raise UsageError(
            f"{installed.file(name)} is there and was not installed", hint="--name NAME takes another one"
        )
    if known is not None and installed.file(name).exists() and not installed.is_unchanged(name, known):
        raise UsageError(
            f"{installed.file(name)} was changed since it was installed", hint="move it away first"
        )
    data = fetch(source)
    _require_pinned(name, known, data, frozen)
    workflow = _read(project, name, data)
    _show(call, name, source, workflow, data)
    call.terminal.note(f"\n{data.decode('utf-8', 'replace').rstrip()}\n")
    if replaced := _replaced(project, name, user):
        call.terminal.note(f"It replaces {replaced}.")
    _confirm(call, f"Install {name} as {_shown(project, installed.file(name))}?", yes)
    _put(installed, name, source, data)
    if call.json:
        call.deliver_document({"workflows": [_fact(installed, name, "installed")]})
        return 0
    call.deliver(f"installed {name}; `lok plan {name}` shows what it asks and runs")
    return 0


def _restore(call: Invocation, project: Project, installed: InstalledWorkflows) -> int:
    """Bring back every workflow of the lock file exactly as it was pinned; anything else is refused."""
    entries = installed.read()
    if not entries:
        raise UsageError(f"{installed.lock} lists no workflow", hint="lok workflow install URL adds one")
    restored = dict.fromkeys(entries, "unchanged")
    for name, entry in entries.items():
        _require_name(name)
        if installed.is_unchanged(name, entry):
            continue
        if installed.file(name).exists():
            raise UsageError(f"{installed.file(name)} is not what lok.lock pins", hint="move it away first")
        data = fetch(entry.source)
        _require_pinned(name, entry, data, frozen=True)
        _read(project, name, data)
        _put(installed, name, entry.source, data)
        restored[name] = "installed"
        call.terminal.note(f"installed {name}")
    if call.json:
        call.deliver_document({"workflows": [_fact(installed, *it) for it in restored.items()]})
        return 0
    call.deliver(
        f"{len(entries)} workflow{'s' if len(entries) > 1 else ''} as pinned in {installed.lock.name}"
    )
    return 0


def _update(names: tuple[str, ...], user: bool, yes: bool) -> int:
    call = Invocation.of(click.get_current_context())
    project = call.project()
    installed = _installed(project, user)
    entries = installed.read()
    states: dict[str, str] = {}
    for name in names or entries:
        entry = _entry(entries, name)
        states[name] = "unchanged"
        if installed.file(name).exists() and not installed.is_unchanged(name, entry):
            raise UsageError(
                f"{installed.file(name)} was changed since it was installed", hint="move it away first"
            )
        data = fetch(entry.source)
        before = installed.file(name).read_bytes() if installed.file(name).exists() else b""
        if data == before:
            call.terminal.note(f"{name} is up to date")
            continue
        workflow = _read(project, name, data)
        _show(call, name, entry.source, workflow, data)
        call.terminal.note("\n".join(_difference(name, before, data)))
        _confirm(call, f"Update {name}?", yes)
        _put(installed, name, entry.source, data)
        states[name] = "updated"
    if call.json:
        call.deliver_document({"workflows": [_fact(installed, *it) for it in states.items()]})
    else:
        call.deliver("\n".join(f"updated {name}" for name, it in states.items() if it == "updated"))
    return 0


def _remove(names: tuple[str, ...], user: bool) -> int:
    call = Invocation.of(click.get_current_context())
    installed = _installed(call.project(), user)
    entries = installed.read()
    for name in names:
        entry = _entry(entries, name)
        if installed.file(name).exists() and not installed.is_unchanged(name, entry):
            raise UsageError(
                f"{installed.file(name)} was changed since it was installed", hint="remove the file yourself"
            )
    facts = [_fact(installed, name, "removed") for name in names]
    for name in names:
        try:
            installed.drop(name)
        except OSError as failure:
            raise LokError(f"{name} cannot be removed: {failure.strerror}") from failure
    if call.json:
        call.deliver_document({"workflows": facts})
    else:
        call.deliver("\n".join(f"removed {name}" for name in names))
    return 0


def _fact(installed: InstalledWorkflows, name: str, state: str) -> dict[str, str]:
    """What the document of --json says of an installed workflow."""
    entry = installed.read()[name]
    file = str(installed.file(name))
    return {"name": name, "state": state, "file": file, "source": entry.source, "sha256": entry.sha256}


def fetch(source: str) -> bytes:
    """The bytes of a URL or of a local file, at most 1 MiB; UsageError or LokError if they cannot be had.

    Only https is taken, or http on this machine itself, also where a server redirects.
    """
    if "://" not in source:
        try:
            data = Path(source).read_bytes()
        except OSError as failure:
            raise UsageError(f"{source} cannot be read: {failure.strerror}") from failure
    else:
        data = _download(source)
    if len(data) > _MOST_BYTES:
        raise LokError(f"{source} has more than {_MOST_BYTES:,} bytes, which no workflow has")
    return data


def _download(url: str) -> bytes:
    import httpx

    for _ in range(_MOST_REDIRECTS + 1):
        _require_safe(url)
        try:
            with httpx.stream("GET", url, timeout=_SECONDS, follow_redirects=False) as response:
                if response.is_redirect:
                    url = urljoin(url, response.headers.get("location", ""))
                    continue
                if response.status_code != httpx.codes.OK:
                    raise LokError(f"{url} answers {response.status_code} {response.reason_phrase}".rstrip())
                data = b""
                for piece in response.iter_bytes():
                    data += piece
                    if len(data) > _MOST_BYTES:
                        break
                return data
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            raise LokError(f"{url} cannot be fetched: {failure}") from failure
    raise LokError(f"{url} redirects more than {_MOST_REDIRECTS} times")


def _require_safe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    hint = (
        "what comes over plain http may be changed on its way: use https"
        if parts.scheme == "http"
        else "use https"
    )
    raise UsageError(f"{url} is not fetched", hint=hint)


def _installed(project: Project, user: bool) -> InstalledWorkflows:
    from pytest_lok.settings import config_dir
    from pytest_lok.store.installed import LOCK_FILE, InstalledWorkflows

    if not user:
        return InstalledWorkflows(project.root / ".lok" / "workflows", project.root / LOCK_FILE)
    home = config_dir(project.environ)
    if home is None:
        raise UsageError("there is no directory for your settings", hint="set HOME or XDG_CONFIG_HOME")
    return InstalledWorkflows(home / "workflows", home / LOCK_FILE)


def _entry(entries: dict[str, Installed], name: str) -> Installed:
    if name not in entries:
        there = f"there are: {', '.join(sorted(entries))}" if entries else "there are none"
        raise UsageError(f"no workflow {name!r} was installed", hint=there)
    return entries[name]


def _require_name(name: str) -> None:
    """UsageError for what is no name, and for a verb's: `lok NAME` would never run that workflow."""
    from pytest_lok.cli.main import VERBS
    from pytest_lok.cli.workflow_command import COMPOSED
    from pytest_lok.store.installed import is_name

    hint = "--name NAME gives it another one"
    if not is_name(name):
        raise UsageError(f"{name!r} is no name for a workflow", hint=hint)
    if name in VERBS and name not in COMPOSED:
        raise UsageError(f"`lok {name}` is a verb of lok, and no workflow can be called so", hint=hint)


def _replaced(project: Project, name: str, user: bool) -> str:
    """What would mean something else once a workflow of that name is there, "" if nothing does."""
    from pytest_lok.cli.main import VERBS
    from pytest_lok.core.workflow.model import Origin

    if name in VERBS:
        return f"the verb `lok {name}`"
    replaced = {
        Origin.BUILTIN: f"the built-in workflow {name}",
        Origin.SETTINGS: f"the task {name} of the settings",
        **({} if user else {Origin.USER: f"your own workflow {name}"}),
    }
    found = (entry.origin for entry in project.catalog.entries() if entry.stem == name)
    return next((replaced[origin] for origin in found if origin in replaced), "")


def _require_pinned(name: str, known: Installed | None, data: bytes, frozen: bool) -> None:
    from pytest_lok.store.installed import digest_of

    if not frozen:
        return
    if known is None:
        raise UsageError(f"lok.lock does not pin {name}", hint="leave --frozen out to add it")
    if digest_of(data) != known.sha256:
        raise LokError(
            f"{known.source} is not what lok.lock pins: sha256 {digest_of(data)} instead of {known.sha256}",
            hint=f"`lok workflow update {name}` shows what has changed",
        )


def _read(project: Project, name: str, data: bytes) -> Workflow:
    """The workflow in the bytes; WorkflowError with every mistake, so that nothing broken is installed."""
    return project.catalog.written(name, data.decode("utf-8", "replace"))


def _show(call: Invocation, name: str, source: str, workflow: Workflow, data: bytes) -> None:
    """Say in short what the workflow is, before it is there; what it runs and grants stands in its file."""
    from pytest_lok.core.workflow.model import Ask, Shell
    from pytest_lok.reports.facts import many
    from pytest_lok.store.installed import digest_of

    commands = [step for step in workflow.in_all() if isinstance(step.action, Shell)]
    edits = [step for step in workflow.in_all() if isinstance(step.action, Ask) and step.action.apply_edits]
    note = call.terminal.note
    note(f"{name} from {source}\nsha256 {digest_of(data)}\n{workflow.description}".rstrip())
    parts = [many(len(commands), "command")] if commands else []
    parts += [f"{len(edits)} may edit files"] if edits else []
    among = ", ".join(parts)
    note(many(len(workflow.steps), "step") + (f": {among}" if among else ""))
    for warning in workflow.warnings:
        note(f"warning: {warning}")


def _confirm(call: Invocation, question: str, yes: bool) -> None:
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty() or not call.terminal.err.isatty():
        raise UsageError("nothing was written: nobody is here to confirm it", hint="--yes confirms it")
    call.terminal.err.write(f"\n{question} [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        # no is an answer, not an error
        call.terminal.note("nothing was written")
        raise click.exceptions.Exit(_DECLINED)


def _put(installed: InstalledWorkflows, name: str, source: str, data: bytes) -> None:
    try:
        installed.put(name, source, data)
    except OSError as failure:
        raise LokError(f"{installed.file(name)} cannot be written: {failure.strerror}") from failure


def _shown(project: Project, file: Path) -> str:
    return str(file.relative_to(project.root) if file.is_relative_to(project.root) else file)


def _difference(name: str, before: bytes, after: bytes) -> Iterable[str]:
    old, new = (data.decode("utf-8", "replace").splitlines() for data in (before, after))
    return difflib.unified_diff(old, new, f"{name}.toml (installed)", f"{name}.toml (new)", lineterm="")


_user = click.Option(["--user"], is_flag=True, help="Your workflows in ~/.config/lok, for every project.")
_yes = click.Option(["-y", "--yes"], is_flag=True, help="Do not ask whether to write.")

install = OptionsCommand(
    "install",
    callback=_install,
    params=[
        click.Argument(["source"], metavar="[URL|PATH]", required=False),
        click.Option(
            ["--name"], default="", metavar="NAME", help="Its name here.  [default: that of the file]"
        ),
        _user,
        click.Option(
            ["--frozen"], is_flag=True, help="Take only what lok.lock pins; alone: all that it lists."
        ),
        _yes,
    ],
    accepts=("json", "output", *COMMON_OPTIONS),
    short_help="Install a workflow from a URL or a file.",
    help="""Fetch a workflow, check it, show its whole file, ask, and write it to .lok/workflows/.
    lok.lock keeps its source and its sha256: commit both files. Only https is fetched, or http on this
    machine.

    `lok workflow install --frozen` restores all workflows of lok.lock, and refuses any other content: for CI.
    """,
)
update = OptionsCommand(
    "update",
    callback=_update,
    params=[click.Argument(["names"], nargs=-1, metavar="[NAME]..."), _user, _yes],
    accepts=("json", "output", *COMMON_OPTIONS),
    short_help="Fetch installed workflows again.",
    help="Fetch installed workflows again, show what has changed, ask, and pin the new content.",
)
remove = OptionsCommand(
    "remove",
    callback=_remove,
    params=[click.Argument(["names"], nargs=-1, required=True, metavar="NAME..."), _user],
    accepts=("json", "output", *COMMON_OPTIONS),
    short_help="Remove installed workflows.",
    help="Remove installed workflows and their entries in lok.lock, but no file that was changed since.",
)
