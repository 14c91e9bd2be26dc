"""``lok workflow convert``: what it prints loads and runs, and its exit code says whether that is all."""

from __future__ import annotations

import pytest

from tests.cli.projects import Project

WHOLE = """
prompts: ["file://texts/ask.txt"]
providers: [openai:gpt-x, ollama:chat:llama]
tests:
  - vars: {word: tree}
    assert: [{type: contains, value: fine}]
"""
PARTLY = WHOLE + "  - assert: [{type: javascript, value: 'true'}]\n"
SETTINGS = "".join(
    f'[backends.{name}]\ntype = "scripted"\n[[backends.{name}.replies]]\nreply = "fine"\n'
    for name in ("gpt-x", "llama")
)
MUX = '[[steps]]\nname = "a"\ntype = "shell"\nrun = "echo {{ args.x }}"\n[args.x]\ndefault = "y"\n'


@pytest.fixture(autouse=True)
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    (project.root / ".lok/workflows").mkdir(parents=True)


def test_what_it_writes_is_a_workflow_that_runs(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.write("eval/texts/ask.txt", "What is a {{word}}?\n")
    project.write("eval/promptfooconfig.yaml", WHOLE)
    done = project.lok("workflow", "convert", "eval/promptfooconfig.yaml", "-o", ".lok/workflows/eval.toml")
    assert (done.code, done.err) == (0, "")
    assert project.lok("workflow", "validate", "eval").code == 0
    ran = project.lok("run", "eval", "--json")
    assert ran.code == 0, ran.err
    assert {*ran.document["steps"]} == {"ask[gpt-x-test-1]", "ask[llama-test-1]"}
    project.write("old.toml", MUX)
    assert project.lok("workflow", "convert", "old.toml").out.endswith('shell = "echo {{ arg.x }}"\n')


def test_what_it_could_not_say_is_told_and_never_passes(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.write("texts/ask.txt", "What is a {{word}}?\n")
    project.write("p.yaml", PARTLY)
    done = project.lok("workflow", "convert", "p.yaml", "--output", ".lok/workflows/p.toml")
    assert done.code == 1
    assert 'lok: not translated: step ask-2: assert {"type": "javascript", "value": "true"}' in done.err
    assert project.lok("run", "p").code == 1
    told = project.lok("workflow", "convert", "p.yaml", "--json")
    assert (told.code, len(told.document["not_translated"])) == (1, 1)
    assert told.document["text"] == (project.root / ".lok/workflows/p.toml").read_text()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("w.toml", '[[steps]]\nname = "a"\nshell = "true"\n', "no workflow of llm-mux"),
        ("w.toml", "a = ", "cannot be translated"),
        ("w.yaml", "a: [", "this is not YAML"),
        ("w.yaml", "a: 1\na: 2\n", "this is not YAML"),
        ("w.yaml", "a: 1\n", "no configuration of promptfoo"),
        ("w.yaml", "prompts: []\nproviders: [x]\n", "this workflow has no steps"),
        ("w.yaml", "x" * ((1 << 20) + 1), "has more than 1,048,576 bytes"),
    ],
)
def test_what_is_none_of_these_is_refused(project: Project, name: str, text: str, said: str) -> None:
    project.write(name, text)
    done = project.lok("workflow", "convert", name)
    assert (done.code, said in done.err, done.out) == (2, True, ""), done.err
    assert project.lok("workflow", "convert", "gone.yaml").code == 2


def test_it_reads_no_file_from_elsewhere(project: Project) -> None:
    project.write("secret.txt", "secret")
    project.write(
        "eval/p.yaml", "prompts: ['file://../secret.txt', 'file://link.txt']\nproviders: [openai:x]\n"
    )
    (project.root / "eval/link.txt").symlink_to("../secret.txt")
    done = project.lok("workflow", "convert", "eval/p.yaml")
    assert (done.code, "\nsecret" in done.out, done.err.count("outside of the directory")) == (1, False, 2)
