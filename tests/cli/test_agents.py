"""The page for agents: it is found, it fits, and what it says of commands and JSON is so."""

from __future__ import annotations

import re

import click

from pytest_lok.cli.main import root
from tests.cli.projects import Project


def test_one_page_however_it_is_asked_for(project: Project) -> None:
    page = project.lok("agents")
    assert page.code == 0
    assert page.err == ""
    for words in (["agents", "--help"], ["help", "agents"]):
        asked = project.lok(*words)
        assert (asked.code, asked.out) == (0, page.out)
    lines = page.out.splitlines()
    assert max(map(len, lines)) < 80
    assert len(lines) < 90
    assert page.out.isascii()


def test_each_command_of_the_page_is_there(project: Project) -> None:
    page = project.lok("agents").out
    lok = root()
    verbs = {"NAME", *lok.list_commands(click.Context(lok))}
    named = set(re.findall(r"(?:^  |`|-- )lok ([A-Za-z]+)", page, re.MULTILINE))
    assert {
        "workflow",
        "NAME",
        "ask",
        "mcp",
        "trust",
        "plan",
        "backends",
        "team",
        "baseline",
        "schema",
    } <= named
    assert named <= verbs


def test_each_field_of_the_page_is_in_the_document(project: Project) -> None:
    project.write("lok.toml", '[backends.kind]\ntype = "scripted"\nreplies = [{ reply = "[]" }]\n')
    project.workflow(
        "w",
        '[[steps]]\nname = "review"\nprompt = "x"\nbackend = "kind"\noutput_format = "findings"\n[gate]\n',
    )
    page = project.lok("agents").out
    run = project.lok("w", "--json").document
    part = page.partition("Read the document of --json\n")[2].partition("\nGet findings")[0]
    fields = re.findall(r"^  ([a-z_]+)  ", part, re.MULTILINE)
    assert fields == ["outcome", "exit_code", "output", "usage", "error"]
    assert set(fields[:-1]) <= set(run)
    error = project.lok("nope", "--json").document["error"]
    assert re.findall(r"[a-z_]+", part.partition("was run: ")[2].partition("\n  A run")[0]) == list(error)
    of_a_step = re.search(r"steps\.NAME  (.*?)\n  error", part, re.DOTALL)
    assert of_a_step
    listed = re.findall(r"[a-z_]+", re.sub(r"\([^)]*\)", "", of_a_step[1]))
    assert {"outcome", "reason", "hint", "findings", "replies"} <= set(listed)
    assert set(listed) <= set(run["steps"]["review"])
    assert run["steps"]["review"]["findings"] == []
