"""``lok suggest``, and what ``auto`` does with it."""

from tests.cli.projects import Project

BACKENDS = (
    "".join(f"[backends.{name}]\nenabled = false\n" for name in ("claude", "codex", "ollama"))
    + """
[backends.plain]
type = "command"
command = "sh"
args = ["-c", "cat >/dev/null; echo plain said so"]
[backends.safe]
type = "command"
command = "sh"
args = ["-c", "cat >/dev/null; echo safe said so"]
strengths = ["security"]
[backends.rules]
type = "scripted"
[[backends.rules.replies]]
reply = "[]"
[backends.gemini]
command = "no-such-program-anywhere"
"""
)
AUDIT = '[[steps]]\nname = "a"\nbackend = "auto"\nprompt = "Audit it."'


def test_it_shows_the_best_that_can_answer_and_why(project: Project) -> None:
    project.write("lok.toml", BACKENDS)
    done = project.lok("suggest", "Look for XSS")
    assert done.code == 0
    rows = [line.split(maxsplit=2) for line in done.out.splitlines()]
    assert rows[1][0] == "->"
    assert rows[1][1] == "safe"
    assert "`xss`" in done.out.splitlines()[1]
    assert "command not found: no-such-program-anywhere" in done.out.splitlines()[2]
    assert "asked only by name" in done.out


def test_for_programs(project: Project) -> None:
    project.write("lok.toml", BACKENDS)
    found = project.lok("suggest", "--json", "Look for XSS").document
    assert [it["backend"] for it in found[:2]] == ["safe", "gemini"]
    assert found[0] == {
        "backend": "safe",
        "why": "strong in security (the task says `xss`)",
        "available": True,
        "problem": "",
    }
    assert found[1]["problem"]


def test_nobody(project: Project) -> None:
    project.write("lok.toml", BACKENDS.replace('"sh"', '"no-such-program"'))
    done = project.lok("suggest", "anything")
    assert done.code == 3
    assert "lok doctor" in done.err


def test_auto_does_as_suggested_and_as_planned(project: Project) -> None:
    project.write("lok.toml", BACKENDS)
    project.workflow("w", AUDIT)
    assert "asks safe (auto; strong in security (the task says `audit`))" in project.lok("plan", "w").out
    done = project.lok("run", "w", "--json")
    step = done.document["steps"]["a"]
    assert step["output"] == "safe said so"
    assert {"title": "backend", "text": "auto: safe, strong in security (the task says `audit`)"} in step[
        "sections"
    ]
