"""``lok backends`` and ``lok doctor``."""

import re

import pytest

from tests.backends.tools import fake_tool
from tests.cli.projects import Project
from tests.fake_llm_api import FakeLLM

NONE = "".join(f"[backends.{name}]\nenabled = false\n" for name in ("claude", "codex", "gemini", "ollama"))
ANN = '[backends.ann]\ntype = "scripted"\nstrengths = ["general"]\nmodel = "big"\n[[backends.ann.replies]]\nreply = "x"\n'
GONE = '[backends.gone]\ntype = "command"\ncommand = "no-such-program-anywhere"\n'


def test_each_backend_says_whether_it_can_answer(project: Project) -> None:
    project.write("lok.toml", ANN + GONE + NONE)
    rows = {line.split()[0]: line for line in project.lok("backends").out.splitlines()}
    assert rows["ann"].split()[1] == "scripted"
    assert "available" in rows["ann"]
    assert "big" in rows["ann"]
    assert "no-such-program-anywhere" in rows["gone"]
    assert "switched off" in rows["claude"]


def test_backends_for_programs(project: Project) -> None:
    project.write("lok.toml", ANN + GONE + NONE)
    found = {state["name"]: state for state in project.lok("backends", "--json").document}
    assert found["ann"]["available"] is True
    assert found["gone"]["available"] is False
    assert found["gone"]["hint"]
    assert found["claude"]["enabled"] is False


def test_a_doctor_finds_all_well(project: Project) -> None:
    project.write("lok.toml", ANN + GONE + NONE)
    done = project.lok("doctor")
    assert done.code == 0
    assert "ok  backend ann" in done.out
    assert "--  backend gone" in done.out
    assert "lok.toml" in done.out


def test_a_doctor_finds_nothing_that_works(project: Project) -> None:
    project.write("lok.toml", GONE + NONE)
    done = project.lok("doctor", "--json")
    assert done.code == 1
    assert done.document["works"] is False
    checks = {check["name"]: check for check in done.document["checks"]}
    assert checks["python"]["ok"] is True
    assert checks["backend gone"]["remedy"]


def test_a_doctor_finds_wrong_settings(project: Project) -> None:
    project.write("lok.toml", "[defaults]\nnope = 1\n")
    done = project.lok("doctor")
    assert done.code == 1
    assert "lok.toml:2:1" in done.out


def test_a_doctor_misses_git(project: Project) -> None:
    project.write("lok.toml", ANN)
    project.environ["PATH"] = str(project.root)
    checks = {check["name"]: check for check in project.lok("doctor", "--json").document["checks"]}
    assert checks["git"] == {
        "name": "git",
        "ok": False,
        "found": "not found",
        "remedy": "install git: workflows that look at changes need it",
        "version": "",
        "sign_in": "",
        "note": "",
    }


def test_a_doctor_tells_a_tools_version_and_where_its_key_is(project: Project) -> None:
    fake_tool(project.root, name="claude", out="2.1.329 (Claude Code)\n")
    fake_tool(project.root, name="codex", out="WARNING\n", err="cannot start", code=3)
    fake_tool(project.root, name="gemini", out="answers\n")
    project.write(
        "home/.config/lok/lok.toml",
        '[backends.claude]\ncommand = "./claude"\n[backends.codex]\ncommand = "./codex"\n'
        '[backends.mine]\ntype = "command"\ncommand = "./gemini"\n[backends.gemini]\nenabled = false\n'
        '[backends.api]\ntype = "anthropic"\nmodel = "m"\n[prices."m"]\ninput = 1\noutput = 2\n',
    )
    project.environ["ANTHROPIC_API_KEY"] = "sk-very-secret-indeed"
    out = re.sub(" {3,}", "  ", project.lok("doctor").out)
    assert "ok  backend claude  claude, 2.1.329 (Claude Code), key in ANTHROPIC_API_KEY\n" in out
    assert "?? backend codex codex, version unknown (codex: exit code 3: cannot start)," in " ".join(
        out.split()
    )
    assert "ok  backend api  anthropic m, key in ANTHROPIC_API_KEY\n" in out
    assert "ok  backend mine  command\n" in out
    assert "the vendors' of October 2026, 1 of yours" in out
    assert not (project.root / "gemini-seen/args").exists()  # who knows what --version means to it
    done = project.lok("doctor", "--json")
    assert "very-secret" not in done.out
    checks = {check["name"]: check for check in done.document["checks"]}
    assert checks["backend claude"]["version"] == "2.1.329 (Claude Code)"
    assert checks["backend claude"]["sign_in"] == "key in ANTHROPIC_API_KEY"
    assert checks["backend gemini"]["version"] == ""


MUTE = '[backends.mute]\ntype = "scripted"\nstrengths = ["x"]\n[[backends.mute.replies]]\nerror = "auth"\nreply = "the key was revoked"\n'


def test_a_live_doctor_asks_whoever_seems_usable(project: Project) -> None:
    project.write("lok.toml", ANN + MUTE + GONE + NONE)
    assert "ok  backend mute" in project.lok("doctor").out
    done = project.lok("doctor", "--live")
    assert done.code == 0
    answered = next(line for line in done.out.splitlines() if "backend ann" in line)
    assert answered.startswith("ok")
    assert "big answered in 0.0 s, 8 tokens" in answered
    assert "--  backend mute" in done.out
    assert "the key was revoked" in done.out
    assert "no-such-program-anywhere" in done.out


def test_a_live_doctor_is_not_content_with_what_only_seems_usable(project: Project) -> None:
    project.write("lok.toml", MUTE + NONE)
    done = project.lok("doctor", "--live", "--json")
    assert done.code == 1
    assert done.document["works"] is False
    [check] = [check for check in done.document["checks"] if check["name"] == "backend mute"]
    assert (check["ok"], check["found"]) == (False, "the key was revoked")
    assert check["remedy"]


@pytest.fixture
def bare(project: Project) -> Project:
    """A machine on which nothing is installed."""
    (project.root / "bin").mkdir()
    project.environ |= {"PATH": f"{project.root / 'bin'}:/usr/bin:/bin", "OLLAMA_HOST": "127.0.0.1:1"}
    return project


def checks(project: Project) -> dict[str, dict[str, object]]:
    return {check["name"]: check for check in project.lok("doctor", "--json").document["checks"]}


def test_what_nobody_knows_is_not_ok(bare: Project) -> None:
    fake_tool(bare.root / "bin", name="claude", out="2.1.329\n")
    fake_tool(bare.root / "bin", name="npx", out="")
    bare.write("lok.toml", '[backends.gemini]\ncommand = "npx"\nargs = ["@google/gemini-cli"]\n')
    done = bare.lok("doctor")
    assert done.code == 3
    assert "??  backend claude      claude, 2.1.329, signed in?\n" in done.out
    assert "??  backend gemini" in done.out, "npx is there, and what it would fetch may be"
    assert done.out.endswith("nobody is known to be signed in: `lok doctor --live` asks gemini, claude\n")
    assert checks(bare)["backend claude"]["ok"] is None


def test_who_is_signed_in_is_ready(bare: Project) -> None:
    fake_tool(bare.root / "bin", name="claude", out="2.1.329\n")
    bare.write("home/.claude/.credentials.json", "{}")
    done = bare.lok("doctor")
    assert done.code == 0
    said = " ".join(done.out.split())
    assert "signed in, says ~/.claude/.credentials.json" in said
    assert 'a step that names nobody asks claude (auto); [defaults] backend = "NAME" in lok.toml' in said
    assert done.out.endswith("\n1 backend ready\n")


def test_a_key_and_a_server_are_ready(bare: Project) -> None:
    with FakeLLM() as server:
        bare.environ |= {"OPENAI_API_KEY": "sk-1234567890", "OLLAMA_HOST": server.url}
        done = bare.lok("doctor")
        assert "ok  backend ollama      ollama fake-large\n" in done.out
        rows = {row.split()[0]: row for row in bare.lok("backends").out.splitlines()}
    assert done.code == 0
    assert "ok  backend openai      openai gpt-6.1-sol, key in OPENAI_API_KEY\n" in done.out
    assert done.out.endswith("\n2 backends ready\n")
    assert "npm install" not in done.out, "nobody is needed"
    assert (rows["ollama"].split()[2], rows["openai"].split()[2]) == ("fake-large", "gpt-6.1-sol")


def test_a_dead_server_is_never_ok(bare: Project) -> None:
    bare.write("lok.toml", '[backends.ollama]\nbase_url = "http://127.0.0.1:1"\nmodel = "qwen3"\n')
    done = bare.lok("doctor")
    assert done.code == 1
    assert "--  backend ollama      no Ollama server answers at http://127.0.0.1:1\n" in done.out
    assert "no backend can answer: install and start Ollama" in done.out
    with FakeLLM() as server:
        bare.write("lok.toml", f'[backends.ollama]\nbase_url = "{server.url}"\nmodel = "qwen3"\n')
        assert "--  backend ollama      the server has no model qwen3\n" in bare.lok("doctor").out


def test_a_sample_is_nobody(bare: Project) -> None:
    bare.write("lok.toml", '[backends.sample]\ntype = "scripted"\nreplies = [{ reply = "x" }]\n')
    done = bare.lok("doctor")
    assert done.code == 1
    said = " ".join(done.out.split())
    assert "asked only by name, because fixed rules answer, and no model" in said
    assert "npm install -g @openai/codex" in said, "somebody is needed"


def test_tools_of_forges(bare: Project) -> None:
    assert checks(bare)["gh, glab"]["ok"] is False
    fake_tool(bare.root / "bin", name="gh", out="gho_a_token_nobody_sees\n")
    fake_tool(bare.root / "bin", name="glab", out="")
    found = bare.lok("doctor")
    assert "gho_" not in found.out
    assert checks(bare)["gh"]["found"] == "signed in to GitHub"
    assert (checks(bare)["glab"]["ok"], checks(bare)["glab"]["found"]) == (None, "no token for GitLab")
    assert "`glab auth login`" in found.out


def test_a_plugin_that_costs_every_session_time_is_named(bare: Project) -> None:
    assert "no:anyio" in str(checks(bare)["pytest plugins"]["remedy"]), "httpx brings it along"


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("pytest.ini", "", "addopts = -p no:anyio in pytest.ini"),
        ("tox.ini", "[pytest]\n", "addopts = -p no:anyio in tox.ini"),
        ("setup.cfg", "[tool:pytest]\n", "addopts = -p no:anyio in setup.cfg"),
        ("pyproject.toml", "[tool.pytest]\n", 'addopts = ["-p", "no:anyio"] in pyproject.toml'),
        ("pyproject.toml", "[project]\n", "below [pytest] in a new pytest.ini"),
    ],
)
def test_the_line_for_pytest_has_the_form_of_its_file(
    bare: Project, file: str, text: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bare.root)
    bare.write(file, text)
    assert line in str(checks(bare)["pytest plugins"]["remedy"])


def test_a_broken_lok_toml_has_a_remedy_and_its_lines_stay(bare: Project) -> None:
    bare.write("lok.toml", "[backends.openai]\nbase_url = 'localhost:18765/v1'\n")
    done = bare.lok("doctor")
    lines = [line.strip() for line in done.out.splitlines()]
    at = lines.index("base_url = 'localhost:18765/v1'")
    assert lines[at + 1].startswith("~")
    assert "mend it; `lok schema settings` describes every key" in done.out


def test_a_doctor_fits_80_columns(bare: Project) -> None:
    fake_tool(bare.root / "bin", name="claude", out="2.1.329 (Claude Code)\n")
    bare.environ["ANTHROPIC_API_KEY"] = "sk-1234567890"
    out = bare.lok("doctor").out
    assert max(len(line) for line in out.splitlines() if str(bare.root) not in line) <= 80
    assert "asked only by name, because claude is installed, and" in out
