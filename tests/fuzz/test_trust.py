"""Settings split at random over the user's file, the project's, the environment and options; every backend asked.

What is seen of a backend is what its server or program was really given: a proxy and stand-ins for tools keep it.
The truth is told by marks: an address, a program or an argument says whose it is, and so does the value of a key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, SettingsError, UsageError
from pytest_lok.wiring import Project
from tests.fuzz import examples

VENDORS = {
    "ANTHROPIC_API_KEY": "vendor-key-anthropic", "OPENAI_API_KEY": "vendor-key-openai", "CODEX_API_KEY": "vendor-key-codex",
}  # fmt: skip
USERS = {"USER_KEY": "user-secret-one", "USER_OTHER": "user-secret-two"}
"""What the user's file names."""
STRANGE = {"STRANGE_KEY": "strange-secret-one", "STRANGE_OTHER": "strange-secret-two"}
"""What is set, and named by nobody but a project."""
SECRETS = {**VENDORS, **USERS, **STRANGE}
POWERS = ("command", "args", "env", "base_url", "api_key_env", "command_wrapper")


@dataclass(frozen=True)
class Seen:
    """One question, as it arrived: whose the place is, whether the project had a say, which secrets came along."""

    of_project: bool
    touched: bool
    secrets: frozenset[str]


@dataclass
class Town:
    """Where questions arrive."""

    root: Path
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.root / "home"),
            "HTTP_PROXY": f"http://127.0.0.1:{self.port}",
            "HTTPS_PROXY": f"http://127.0.0.1:{self.port}",
            **SECRETS,
        }

    def arrived(self) -> list[Seen]:
        """Also what programs were given."""
        for file in (self.root / "calls").iterdir():
            text = file.read_text()
            first = text.partition("\n")[0]
            self.seen.append(self.judged("tool-of-project" in first, "of-project" in first, text))
            file.unlink()
        return self.seen

    @staticmethod
    def judged(of_project: bool, touched: bool, text: str) -> Seen:
        return Seen(of_project, touched, frozenset(value for value in SECRETS.values() if value in text))


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    root = Path(tempfile.mkdtemp())
    for folder in ("bin", "home/.config/lok", "calls", "project"):
        (root / folder).mkdir(parents=True)
    for name in ("claude", "codex", "tool-of-user", "tool-of-project"):
        program = root / "bin" / name
        program.write_text(f'#!/bin/sh\n{{ echo "$0 $*"; env; }} > "{root}/calls/$$"\n')
        program.chmod(0o755)
    made = Town(root)

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            host = urlsplit(self.path).hostname or ""
            made.seen.append(made.judged("project" in host, "project" in host, str(self.headers)))
            self.send_error(401)

        def do_CONNECT(self) -> None:
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    made.port = server.server_port
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()
    shutil.rmtree(root)


KINDS = {
    "claude": "claude",
    "codex": "codex",
    "openai": "openai",
    "ollama": "ollama",
    "gateway": "openai",
    "mine": "command",
}
"""What a backend of that name is, where nobody says otherwise."""


def table(whose: str, kind: str, keys: tuple[str, ...], given: bool) -> st.SearchStrategy[dict[str, Any]]:
    """A table that fits its kind, whose places carry the name of who says them."""
    key = st.sampled_from(keys)
    tool = kind in ("claude", "codex", "command")
    places: dict[str, st.SearchStrategy[Any]] = {
        "base_url": st.sampled_from([f"http://{whose}.example/v1", ""])
    }
    if tool:
        places = {
            "command": st.sampled_from([f"tool-of-{whose}", "claude"]),
            "args": st.sampled_from([[], [f"--of-{whose}"], ["-x", f"of-{whose}"]]),
            "env": st.lists(key, max_size=2, unique=True),
            "access": st.sampled_from(["read", "none"]),
        }
    optional = {
        **places,
        "api_key_env": key,
        "model": st.sampled_from(["m", "n"]),
        "enabled": st.sampled_from([True, True, False]),
        "timeout": st.just(20),
    }
    needed: dict[str, st.SearchStrategy[Any]] = {}
    if given:
        needed["type"] = st.just(kind)
        if kind == "command":
            needed["command"] = optional.pop("command")
            optional.pop("model")
    return st.fixed_dictionaries(needed, optional=optional)


@st.composite
def both(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """The backends of the user and of the project; some are in both."""
    mine, theirs = {}, {}
    for name in draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3, unique=True)):
        kind = draw(st.sampled_from([KINDS[name]] * 5 + ["openai", "anthropic", "command", "codex"]))
        where = draw(st.sampled_from(["user", "project", "both", "both"]))
        unknown = KINDS[name] != kind or name in ("gateway", "mine")
        if where != "project":
            mine[name] = draw(table("user", kind, (*USERS, "OPENAI_API_KEY"), unknown))
        if where != "user":
            other = draw(st.sampled_from([kind] * 6 + ["openai", "claude"]))
            given = other != kind or (unknown and where == "project")
            theirs[name] = draw(table("project", other, tuple(SECRETS), given))
    return mine, theirs


def toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    return "".join(
        f"[backends.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for name, table in tables.items()
    )


of_options = st.dictionaries(
    st.sampled_from(
        ["openai.base_url", "openai.api_key_env", "claude.command", "claude.model", "codex.args"]
    ),
    st.just(""),
    max_size=2,
)
LATER = {
    "base_url": "http://user.example/v1", "api_key_env": "USER_KEY", "command": "tool-of-user", "model": "m",
    "args": ["--of-user"],
}  # fmt: skip


def opened(town: Town, environ: Mapping[str, str], options: Mapping[str, Any], trust: bool) -> Project | None:
    try:
        return Project.open(
            town.root / "project",
            environ={**town.environ, **environ},
            options=options,
            search_up=False,
            trust=trust,
        )
    except SettingsError:
        return None


def asked(project: Project) -> None:
    """Every backend, one question."""

    async def ask_all() -> None:
        world = project.world()
        for backend in world.backends.values():
            with contextlib.suppress(BackendError):
                await backend.ask(Prompt(text="hello", timeout=20.0))
            await backend.aclose()

    asyncio.run(ask_all())


def powerful(project: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(
        key in POWERS or value == "command" or (key, value) in (("enabled", True), ("access", "read"))
        for table in project.values()
        for key, value in table.items()
    )


@settings(
    max_examples=examples(50),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=both(), by_option=of_options, by_variable=of_options, trust=st.booleans())
def test_no_secret_of_the_users_reaches_what_a_project_names(
    town: Town,
    files: tuple[dict[str, Any], dict[str, Any]],
    by_option: dict[str, str],
    by_variable: dict[str, str],
    trust: bool,
) -> None:
    mine, theirs = files
    town.seen.clear()
    (town.root / "home/.config/lok/lok.toml").write_text(toml(mine))
    (town.root / "project/lok.toml").write_text(toml(theirs))
    options = {f"backends.{dotted}": LATER[dotted.partition(".")[2]] for dotted in by_option}
    variables = {
        f"LOK_BACKENDS_{dotted.replace('.', '_').upper()}": value if isinstance(value, str) else value[0]
        for dotted in by_variable
        for value in [LATER[dotted.partition(".")[2]]]
    }
    project = opened(town, variables, options, trust)
    if project is None:
        event("wrong settings")
        return
    if not powerful(theirs) and {table.get("type") for table in theirs.values()} <= {None}:
        assert project.trusted, "the common case is asked nothing"
    if not project.trusted:
        event("refused")
        with pytest.raises(UsageError, match="not trusted"):
            project.world()
        return
    asked(project)
    given_later = {"USER_KEY"} if "openai.api_key_env" in {**by_option, **by_variable} else set()
    users = {SECRETS[name] for name in named(mine) | given_later}
    seen = town.arrived()
    event(f"{'trusted' if trust else 'harmless'}, {'seen' if seen else 'nothing seen'}")
    for one in seen:
        assert trust or not one.touched, "nothing of the project's counts untrusted"
        assert trust or not one.secrets & {*STRANGE.values()}, "nor does what it names"
        if one.of_project:
            assert not one.secrets & users, "keys go where those said who named them"
        elif one.touched:  # the vendor's own program, with arguments of the project's
            assert not one.secrets & {*USERS.values()} & users


def named(tables: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The variables that somebody's file names as keys."""
    return {table["api_key_env"] for table in tables.values() if table.get("api_key_env")}


@settings(max_examples=examples(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["mine", "gateway"]),
    key=st.sampled_from(sorted(STRANGE)),
    tool=st.booleans(),
)
def test_what_a_project_says_counts_once_it_is_trusted(town: Town, name: str, key: str, tool: bool) -> None:
    town.seen.clear()
    (town.root / "home/.config/lok/lok.toml").write_text("")
    place = {"type": "command", "command": "tool-of-project", "args": ["of-project"]} if tool else {
        "type": "openai", "base_url": "http://project.example/v1", "model": "m",
    }  # fmt: skip
    (town.root / "project/lok.toml").write_text(toml({name: {**place, "api_key_env": key}}))
    project = opened(town, {}, {}, trust=False)
    assert project is not None
    assert not project.trusted
    project.trust.grant(project.root, project.settings.restricted.values)
    project = opened(town, {}, {}, trust=False)
    assert project is not None
    asked(project)
    project.trust.revoke(project.root)
    assert Seen(True, True, frozenset({SECRETS[key]})) in town.arrived()
