"""What the start of each verb imports: a closed list of what is slow, so that a start stays quick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.projects import Project

SLOW = {
    *(
        "asyncio",
        "botocore",
        "click",
        "concurrent.futures",
        "configparser",
        "dask",
        "difflib",
        "distributed",
        "email",
        "h11",
        "html",
    ),
    *("http.client", "httpx", "importlib.metadata", "importlib.resources", "jinja2", "jsonschema", "logging"),
    *("mcp", "pluggy", "pydantic", "pydantic_core", "pytest", "random", "regex", "rich", "ssl", "tempfile"),
    *("tomli", "traceback", "unittest", "urllib.request", "xml"),
}
"""Libraries, and parts of the standard one, that take half a millisecond or more."""

ROOMS = {
    *(
        "backends.cache",
        "backends.cli.backend",
        "backends.http.client",
        "backends.replay",
        "backends.scripted",
    ),
    *("core.edits.edits", "core.findings.reading", "core.shell.safety", "core.templates.program"),
    *(
        "core.workflow.reading.reader",
        "core.workflow.json_schema",
        "engine.asking.ask",
        "engine.asking.findings",
    ),
    *("engine.edit_step", "engine.run", "hookspecs", "mcp_server", "plugin", "reports.console", "settings"),
    *("fleet", "wiring.world", "workspace.travel.snapshots"),
}
"""Modules of the package that bring many others along."""

RUNNING = {"asyncio", "click", "concurrent.futures", "logging", "ssl", "tomli", "traceback"}
"""What a run cannot do without; asyncio brings most of it."""
SHELL_RUN = {"core.workflow.reading.reader", "engine.run", "reports.console", "settings", "wiring.world"}

STARTS: dict[str, tuple[list[str], set[str], set[str]]] = {
    "help": (["--help"], {"click"}, set()),
    "version": (["--version"], {"click"}, set()),
    "help of a verb": (["ask", "--help"], {"click"}, set()),
    "completion": (["completion", "bash"], {"click"}, set()),
    "schema": (["schema"], {"click"}, set()),
    "list": (
        ["workflow", "list"],
        {"click", "difflib", "tomli"},
        {"core.workflow.reading.reader", "settings"},
    ),
    "graph": (["graph", "one"], {"click", "tomli"}, {"core.workflow.reading.reader", "settings"}),
    "plan": (["plan", "one"], RUNNING, {"core.workflow.reading.reader", "settings", "wiring.world"}),
    "run": (["run", "one"], RUNNING, SHELL_RUN),
    "ask": (
        ["ask", "-b", "tool", "what?"],
        RUNNING | {"difflib", "html", "random", "tempfile"},
        {"backends.cache", "backends.cli.backend", "core.edits.edits", "core.findings.reading"}
        | {"core.workflow.json_schema", "engine.asking.ask", "engine.asking.findings", "engine.edit_step"}
        | {"engine.run", "reports.console", "settings", "wiring.world"},
    ),
    "runs": (
        ["runs"],
        {"click", "html", "tomli"},
        {"core.findings.reading", "core.workflow.json_schema", "reports.console", "settings"},
    ),
    "suggest": (
        ["suggest", "find bugs"],
        {"click", "tomli"},
        {"backends.cli.backend", "backends.http.client", "settings"},
    ),
    "backends": (
        ["backends"],
        {"click", "tomli"},
        {"backends.cli.backend", "backends.http.client", "settings"},
    ),
}


@pytest.mark.parametrize(("arguments", "slow", "rooms"), STARTS.values(), ids=list(STARTS))
def test_a_verb_imports_no_more_than_this(
    project: Project, tmp_path: Path, arguments: list[str], slow: set[str], rooms: set[str]
) -> None:
    project.write(".lok/workflows/one.toml", '[[steps]]\nname = "a"\nshell = "true"\n')
    tool = project.write("tool", "#!/bin/sh\ncat >/dev/null\necho yes\n")
    tool.chmod(0o755)
    project.write("lok.toml", "")
    settings = tmp_path / "home" / "lok.toml"
    settings.parent.mkdir()
    settings.write_text(f'[backends.tool]\ntype = "command"\ncommand = "{tool}"\n')
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pytest_lok.cli.main import main\n"
            f"code = main({arguments!r})\n"
            "print(code, *sys.modules, file=sys.stderr)",
        ],
        cwd=project.root,
        # nothing answers where Ollama's server would be
        env={**project.environ, "LOK_CONFIG_DIR": str(settings.parent), "OLLAMA_HOST": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = done.stderr.splitlines()[-1].split()
    assert code == "0", done.stderr
    assert SLOW.intersection(modules) == slow
    assert {room for room in ROOMS if f"pytest_lok.{room}" in modules} == rooms
