"""``options`` of a step -> the options of its questions, each checked by whom it goes to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_lok.core.asking.answer_options import ANYBODY, MCP, fault_of, who_knows
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.workflow.model import AUTO, EVERYBODY
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.json_values import Json
    from pytest_lok.core.workflow.reading.step_keys import StepKeys

_SERVER = late_regex(r"[A-Za-z0-9_-]{1,64}")


def read_options(keys: StepKeys, backends: tuple[str, ...]) -> dict[str, dict[str, Json]]:
    """The options by whom they are for: "" = everybody whom the step asks.

    ``backends`` are those that the step names. Whoever is asked has to know each option that is for
    everybody; what only one of them knows stands in a table under its name.
    """
    written = keys.document.options or {}
    own = {name: value for name, value in written.items() if isinstance(value, dict)}
    common = {name: value for name, value in written.items() if not isinstance(value, dict)}
    asked = _asked(keys, backends)
    is_open = bool({AUTO, EVERYBODY}.intersection(asked)) or not asked
    known = keys.context.answerers.by_name
    if common and is_open and known:
        keys.report(
            "`options` depend on the type of who is asked, and this step leaves open who that is",
            "name the backend; or give one its own: options = { claude = { max_turns = 5 } }",
            "options",
            key=True,
        )
    found: dict[str, dict[str, Json]] = {}
    for backend in asked if not is_open else [] if known else [""]:
        found[""] = _checked(keys, backend, common)
    for backend, table in own.items():
        if _may_have_its_own(keys, backend, asked, is_open=is_open):
            found[backend] = _checked(keys, backend, table, backend)
    return {name: options for name, options in found.items() if options}


def _asked(keys: StepKeys, backends: tuple[str, ...]) -> tuple[str, ...]:
    """Whom the step asks, also for a synthesis; () = nobody knows."""
    judge = keys.document.synthesizer
    named = backends or keys.context.answerers.default
    return tuple(dict.fromkeys([*named, *([judge] if judge and named else [])]))


def _asked_by_cases(keys: StepKeys) -> frozenset[str]:
    """The backends that the cases of the step choose, each for itself."""
    named = {str(one.case.values.get("backend", "")) for one in keys.cases}
    names = {name.strip() for text in named for name in text.split(",")}
    roles = keys.context.roles
    return frozenset(names).union(*(roles[name].backends for name in names if name and name in roles))


def _may_have_its_own(keys: StepKeys, backend: str, asked: tuple[str, ...], *, is_open: bool) -> bool:
    if backend in (AUTO, EVERYBODY) or not keys.is_known_backend(backend):
        hint = keys.unknown_backend_hint(backend)
        if who_knows(backend):
            hint = "an option has no table as its value"
        keys.report(f"there is no backend `{backend}`", hint, "options", backend, key=True)
        return False
    if not is_open and backend not in asked:
        # another case of the step asks it, and there its options are read
        if backend in _asked_by_cases(keys):
            return False
        message = f"the options of `{backend}` are of no use: this step does not ask it"
        hint = did_you_mean(backend, asked) or f"asked are: {', '.join(asked)}"
        keys.report(message, hint, "options", backend, key=True)
        return False
    return True


def _checked(keys: StepKeys, backend: str, table: Mapping[str, Any], *at: str) -> dict[str, Json]:
    """The options that ``backend`` knows; the others are problems."""
    answerer = keys.context.answerers.by_name.get(backend, ANYBODY)
    found: dict[str, Json] = {}
    for name, value in table.items():
        fault = fault_of(answerer, name, value)
        if fault is not None:
            who = f"`{backend}`: " if backend and answerer is not ANYBODY else ""
            keys.report(who + fault[0], fault[1], "options", *at, name, key=not who_knows(name))
        elif name == MCP:
            servers = _servers(keys, str(value), *at, name)
            found |= {} if servers is None else {MCP: servers}
        else:
            found[name] = value
    return found


def _servers(keys: StepKeys, path: str, *at: str) -> dict[str, Json] | None:
    """The MCP servers in a file beside the workflow's; None where it holds none that can be used."""
    try:
        if keys.context.read is None:
            raise OSError("this workflow has no directory to read files from")
        said = json.loads(keys.context.read(path, keys.file.source))
    except (OSError, ValueError, RecursionError) as error:
        hint = "the path starts at the workflow file's directory"
        keys.report(f"cannot read the MCP servers in {path!r}: {error}", hint, "options", *at)
        return None
    if wrong := _wrong_servers(said):
        hint = '{"mcpServers": {"docs": {"command": "docs-server", "args": []}}}'
        keys.report(f"{path!r} holds no MCP servers: {wrong}", hint, "options", *at)
        return None
    return dict(said)


def _wrong_servers(said: object) -> str:
    servers = said.get("mcpServers") if isinstance(said, dict) else None
    if not isinstance(servers, dict) or not servers:
        return "it has no table `mcpServers` with one in it"
    if isinstance(said, dict) and len(said) > 1:
        return "it has more than `mcpServers`"
    for name, server in servers.items():
        if not _SERVER.fullmatch(name):
            return f"no server can be called {name!r}"
        kinds = [key for key in ("command", "url") if isinstance(server, dict) and key in server]
        if len(kinds) != 1 or not isinstance(server[kinds[0]], str) or not server[kinds[0]]:
            return f"`{name}` needs a `command`, or a `url`"
    return ""
