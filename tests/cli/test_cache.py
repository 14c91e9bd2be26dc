"""The cache of answers: unasked for ``lok ask``, for workflows only where it is said."""

import subprocess
from pathlib import Path

import pytest

from tests.cli.projects import Project
from tests.fake_llm_api import FakeLLM

# answers with a number that grows each time it is asked
TOOL = """
[backends.tool]
type = "command"
command = "sh"
args = ["-c", "cat >/dev/null; echo x >> $HOME/asked; wc -l < $HOME/asked"]
"""
ALONE = "".join(f"[backends.{name}]\nenabled = false\n" for name in ("claude", "codex", "gemini", "ollama"))
ASK = '[[steps]]\nname = "a"\nbackend = "tool"\nprompt = "Is it safe?"\nassert = [\'rubric("x", backend="judge")\']\n'
JUDGE = TOOL.replace("tool", "judge").replace(
    "wc -l < $HOME/asked", 'echo \'{\\"verdict\\": \\"yes\\", \\"reason\\": \\"r\\"}\''
)


@pytest.fixture
def asking(project: Project) -> Project:
    project.write("lok.toml", TOOL.replace("[backends.tool]", "[backends.tool]\naccess = 'none'") + ALONE)
    (project.root / "home").mkdir()
    return project


def calls(project: Project) -> int:
    file = project.root / "home" / "asked"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_the_same_question_is_asked_once_and_says_so(asking: Project) -> None:
    first = asking.lok("ask", "hello")
    again = asking.lok("ask", "hello")
    assert (first.out.splitlines()[1], again.out.splitlines()[1]) == ("1", "1")
    assert "(cached)" not in first.out + first.err
    assert "(cached)" in again.out.splitlines()[0]
    assert "(cached)" in again.err.splitlines()[-1]
    document = asking.lok("ask", "hello", "--json").document
    assert document["usage"]["cached"] == 1
    assert document["steps"]["tool"]["replies"][0]["cached"] is True
    assert calls(asking) == 1


def test_it_can_be_asked_anew(asking: Project) -> None:
    asking.lok("ask", "hello")
    assert asking.lok("ask", "hello", "--no-cache").out.splitlines()[1] == "2"
    assert asking.lok("ask", "hello").out.splitlines()[1] == "1"
    asking.environ["LOK_CACHE_ENABLED"] = "false"
    assert asking.lok("ask", "hello").out.splitlines()[1] == "3"
    assert asking.lok("--cache", "ask", "hello").out.splitlines()[1] == "1"


def test_settings_that_change_an_answer_change_the_question(asking: Project) -> None:
    asking.lok("ask", "hello")
    text = (asking.root / "lok.toml").read_text()
    asking.write("lok.toml", text.replace("access", "weight = 3.0\ntimeout = 9\nmax_concurrent = 1\naccess"))
    assert asking.lok("ask", "hello").out.splitlines()[1] == "1"
    asking.write("lok.toml", text.replace('"-c"', '"-e", "-c"'))
    assert asking.lok("ask", "hello").out.splitlines()[1] == "2"
    asking.environ["ANTHROPIC_BASE_URL"] = "http://elsewhere"
    assert asking.lok("ask", "hello").out.splitlines()[1] == "3"


def test_a_tool_that_reads_the_project_is_asked_again_when_it_changes(asking: Project) -> None:
    asking.write("lok.toml", TOOL + ALONE)
    for _ in range(2):
        asking.lok("ask", "hello")
    assert calls(asking) == 2  # no git, no way to tell
    git(asking.root, "init", "-q")
    asking.write(".gitignore", "home\n")
    git(asking.root, "add", "-A")
    git(asking.root, "commit", "-qm", "x")
    for _ in range(2):
        asking.lok("ask", "hello")
    assert calls(asking) == 3
    asking.write("new.py", "")
    for _ in range(2):
        asking.lok("ask", "hello")
    assert calls(asking) == 4


def git(root: Path, *args: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", *who, *args], cwd=root, check=True, capture_output=True)


def test_a_server_is_asked_once_unless_it_fails(project: Project) -> None:
    with FakeLLM() as server:
        server.set_rules([{"status": 529, "times": 1}, {"reply": "from the server"}])
        project.write(
            "lok.toml",
            f"{ALONE}[backends.api]\ntype = 'openai'\nbase_url = '{server.url}/v1'\nmodel = 'm'\n",
        )
        done = [project.lok("ask", "hello") for _ in range(3)]
        assert [it.code for it in done] == [3, 0, 0]
        assert ["(cached)" in it.out for it in done] == [False, False, True]
        assert len(server.requests) == 2


@pytest.mark.parametrize(("model", "asked"), [("", 2), ('model = "m"', 1)])
def test_a_tool_without_a_model_is_asked_each_time(project: Project, model: str, asked: int) -> None:
    """Its own settings say whom it asks, and may say something else by now."""
    said = '{"type": "result", "subtype": "success", "result": "fine"}'
    script = f"#!/bin/sh\ncat >/dev/null; echo x >> {project.root}/home/asked; echo '{said}'\n"
    project.write("home/tool", script).chmod(0o755)
    off = ALONE.replace("[backends.claude]\nenabled = false\n", "")
    claude = f"[backends.claude]\ncommand = '{project.root}/home/tool'\naccess = 'none'\n{model}\n"
    project.write("lok.toml", off + claude)
    for _ in range(2):
        done = project.lok("ask", "hello", "-b", "claude")
        assert (done.code, "fine" in done.out) == (0, True), done.err
    assert calls(project) == asked


def test_a_workflow_never_takes_an_old_answer_unasked(asking: Project) -> None:
    asking.write("lok.toml", TOOL.replace("[backends.tool]", "[backends.tool]\naccess = 'none'") + ALONE)
    asking.workflow("w", ASK.split("assert")[0])
    for number in (1, 2):
        assert asking.lok("run", "w").out.strip() == str(number)
    assert asking.lok("run", "w", "--cache").out.strip() == "3"
    done = asking.lok("w", "--cache")
    assert done.out.strip() == "3"
    assert done.err.count("(cached)") == 2
    assert asking.lok("run", "w", "--no-cache").out.strip() == "4"
    assert asking.lok("run", "w").out.strip() == "5"


def test_a_judge_s_kept_word_is_called_so_too(asking: Project) -> None:
    none = "\naccess = 'none'"
    settings = (TOOL + JUDGE).replace("[backends.tool]", "[backends.tool]" + none)
    asking.write("lok.toml", settings.replace("[backends.judge]", "[backends.judge]" + none) + ALONE)
    asking.workflow("w", ASK)
    assert asking.lok("run", "w", "--cache").code == 0
    done = asking.lok("run", "w", "--cache", "--json")
    assert done.document["usage"] == {
        "calls": 0, "cached": 2, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0,
    }  # fmt: skip


def test_recorded_answers_do_not_come_out_of_the_cache(asking: Project) -> None:
    asking.workflow("w", ASK)
    done = asking.lok("run", "w", "--cache", "--record")
    assert done.code == 2
    assert calls(asking) == 0


def test_show_and_clear(asking: Project) -> None:
    assert "none" in asking.lok("cache", "show").out
    for text in ("hello", "you", "hello"):
        asking.lok("ask", text)
    shown = asking.lok("cache", "show")
    assert "answers   2, the oldest" in shown.out
    assert str(asking.root / "home") in shown.out
    facts = asking.lok("cache", "show", "--json").document
    assert (facts["answers"], facts["expired"], facts["backends"]) == (2, 0, {"tool": 2})
    assert facts["bytes"] > 0
    assert "removed 2 answers" in asking.lok("cache", "clear").err
    assert asking.lok("ask", "hello").out.splitlines()[1] == "3"
    asking.environ["LOK_CACHE_TTL_HOURS"] = "0"
    assert asking.lok("cache", "show", "--json").document["expired"] == 1
    assert asking.lok("ask", "hello").out.splitlines()[1] == "4"
