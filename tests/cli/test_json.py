"""``--json``: every verb takes it, and stdout holds one document and nothing else, of an error too."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pytest_lok.cli.main import root
from tests.cli.projects import Project, record
from tests.cli.test_built_in import GH
from tests.cli.test_spec import EDIT, PLAN
from tests.core.reports import finding, said

NO_DOCUMENT = {
    "agents": "one page of text, for reading",
    "help": "a page of text, for reading",
    "completion": "a script, which a shell reads",
    "mcp": "speaks JSON-RPC on stdout as long as it runs",
}
"""Verbs for which a document makes no sense, and why."""

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
BACKENDS = {
    "ann": [
        {"match": "Plan this task", "reply": json.dumps(PLAN)},
        {"match": "make x two", "reply": json.dumps(EDIT)},
        {"match": "findings", "reply": said({})},
        {"reply": "well"},
    ],
    "bob": [{"reply": "well"}],
}
DOCUMENTS = {
    "comment": "comment {run} --pr 12 --dry-run",
    "dismiss": "dismiss ab12 --reason x --author a",
    "ask": "ask -b bob hi",
    "smart": "smart hi",
    "team": "team hi",
    "debate": "debate hi",
    "spawn": "spawn hi -a a:b",
    "conduct": "conduct hi",
    "spec": "spec hi",
    "implement": "implement --no-verify 01-parser/01-read",
    "suggest": "suggest hi",
    "run": "run mine",
    "resume": "resume",
    "plan": "plan mine",
    "graph": "graph mine",
    "workflow run": "workflow run waits",
    "approve": "approve last s --yes",
    "workflow list": "workflow list",
    "workflow show": "workflow show mine",
    "workflow validate": "workflow validate mine",
    "workflow install": "workflow install other.toml --yes",
    "workflow update": "workflow update other --yes",
    "workflow remove": "workflow remove other",
    "workflow convert": "workflow convert mux.toml",
    "gate": "gate mine --base main --head topic",
    "eval": "eval review --cases cases",
    "baseline": "baseline review",
    "runs": "runs",
    "show": "show last",
    "report": "report --since 1d",
    "parts": "parts src",
    "forge pr": "forge pr 1",
    "forge diff": "forge diff 1",
    "forge issue": "forge issue 1",
    "forge checks": "forge checks 1",
    "forge logs": "forge logs 1",
    "forge comment": "forge comment 1",
    "forge file-issues": "forge file-issues",
    "context": "context --issue 4",
    "init": "init",
    "doctor": "doctor",
    "backends": "backends",
    "trust": "trust",
    "cache show": "cache show",
    "cache clear": "cache clear",
    "fleet up": "",
    "fleet status": "fleet status",
    "schema": "schema",
}
"""A command line of each verb, in the order in which they are typed; RUN is a recorded run.

One without a command line stays after its document, and has a test of its own.
"""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Each verb and what is below it, by the words that name it."""
    lok = root()
    context = click.Context(lok)
    for name in lok.list_commands(context):
        command = lok.get_command(context, name)
        assert command
        below = command.commands if isinstance(command, click.Group) else {}
        yield from ((f"{name} {word}", it) for word, it in below.items()) if below else [(name, command)]


def test_each_verb_takes_it_or_it_is_said_why_not() -> None:
    for name, command in commands():
        taken = any(parameter.name == "json" for parameter in command.params)
        assert taken != (name in NO_DOCUMENT), f"`lok {name}`: give it --json and add it to DOCUMENTS"
        assert taken == (name in DOCUMENTS), f"`lok {name}`: add a command line of it to DOCUMENTS"
    assert set(DOCUMENTS) | set(NO_DOCUMENT) == {name for name, _ in commands()}


@pytest.fixture
def house(project: Project, tmp_path: Path) -> Project:
    backends = "".join(
        f"[backends.{name}]\ntype = 'scripted'\nstrengths = ['general']\n"
        + "".join(
            f"[[backends.{name}.replies]]\n" + "".join(f"{key} = '''{text}'''\n" for key, text in it.items())
            for it in replies
        )
        for name, replies in BACKENDS.items()
    )
    project.write("lok.toml", f'{backends}[fleet]\nscheduler = "local"\n')
    project.write("a.py", "x = 1\n")
    project.write("src/db.py", "db.execute(sql)\n")
    project.write("cases/one/case.toml", "clean = true\n")
    project.write("cases/one/before/a.py", "x = 1\n")
    project.write("cases/one/after/a.py", "x = 2\n")
    project.write("other.toml", '[[steps]]\nname = "s"\nshell = "true"\n')
    project.write("mux.toml", '[[steps]]\nname = "s"\ntype = "shell"\nrun = "true"\n')
    project.workflow("mine", '[[steps]]\nname = "s"\nshell = "echo hi"\n')
    project.workflow("waits", '[[steps]]\nname = "s"\napprove = "Go on?"\n')
    project.workflow(
        "review",
        '[gate]\nbaseline = "new"\n[[steps]]\nname = "r"\nprompt = "findings"\noutput_format = "findings"\n',
    )
    project.write("bin/gh", GH).chmod(0o755)
    project.environ["PATH"] = f"{project.root}/bin:{project.environ['PATH']}"
    project.environ["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*author, "commit", "-qm", "one")):
        subprocess.run(("git", *words), cwd=project.root, check=True, capture_output=True)
    topic = ("checkout -qb topic", "rm -q a.py", "commit -qm two", "checkout -q main")
    for line in topic:
        subprocess.run(("git", *author, *line.split()), cwd=project.root, check=True, capture_output=True)
    return project


def test_stdout_is_one_document_whose_keys_stand_on_the_page(
    house: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = dict(
        re.findall(r"^\| `lok ([a-z -]+)` \| (.*) \|$", PAGE.split("## The JSON of each verb")[1], re.M)
    )
    run = record(house, finding(fingerprint="ab12"))
    for name, line in DOCUMENTS.items():
        assert name in table, f"docs/commands.md lacks a row `lok {name}` in 'The JSON of each verb'"
        if not line:
            continue
        monkeypatch.setattr("sys.stdin", io.StringIO("[]"))
        done = house.lok(*line.format(run=run).split(), "--json")
        document = done.document  # json.loads of all of stdout
        assert "error" not in document, (name, document)
        keys = set(document if isinstance(document, dict) else document[0] if document else ())
        if name in ("workflow validate", "schema"):
            keys = set()  # the names of workflows, and the words of JSON Schema
        if "that of a run" in table[name]:
            assert {"workflow", "outcome", "exit_code", "steps"} <= keys
            assert document["exit_code"] == done.code
        else:
            assert keys - set(re.findall(r"`(\w+)`", table[name])) == set(), name
    assert set(table) == set(DOCUMENTS)


def test_an_error_is_one_document_too(project: Project) -> None:
    for name in DOCUMENTS:
        done = project.lok(*name.split(), "--json", "--no-such-option")
        assert done.code == 2
        error = done.document["error"]
        assert set(done.document) == {"error"}
        assert set(error) == {"what", "where", "hint", "exit_code", "problems"}
        assert (error["exit_code"], error["what"] != "", error["where"][:3]) == (2, True, "lok")
        assert "lok: error: " in done.err, "people are told as well"


def test_the_mistakes_of_a_file_have_their_places(project: Project) -> None:
    project.workflow("bad", '[[steps]]\nname = "s"\nshel = "true"\n')
    error = project.lok("run", "bad", "--json").document["error"]
    places = [it["where"] for it in error["problems"]]
    assert places[0] == error["where"]
    assert ".lok/workflows/bad.toml:3:1" in places


@pytest.mark.parametrize("words", [["run", "nope", "--json"], ["--json", "run", "nope"], ["--json"]])
def test_the_option_may_stand_anywhere(project: Project, words: list[str]) -> None:
    done = project.lok(*words)
    assert (done.code, done.document["error"]["exit_code"]) == (2, 2)


def test_an_error_goes_where_the_document_would_have_gone(project: Project) -> None:
    old = project.write("out.json", '{"outcome": "passed"}')
    done = project.lok("run", "nope", "-o", "out.json")
    assert (done.code, done.out) == (2, "")
    assert json.loads(old.read_text())["error"]["exit_code"] == 2, "who reads the file sees no old run"


def test_no_error_tells_a_secret(project: Project) -> None:
    project.environ["ANTHROPIC_API_KEY"] = "sk-ant-0123456789abcdef"
    done = project.lok("run", "sk-ant-0123456789abcdef", "--json")
    assert (done.code, "0123456789abcdef" in done.out + done.err) == (2, False)


def test_a_word_after_the_end_of_options_asks_for_nothing(project: Project) -> None:
    assert project.lok("run", "nope", "--", "--json").out == ""
