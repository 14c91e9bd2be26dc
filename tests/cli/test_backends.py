"""``lok backends`` and ``lok doctor``."""

import re

from tests.backends.tools import fake_tool
from tests.cli.projects import Project

NONE = "".join(f"[backends.{name}]\nenabled = false\n" for name in ("claude", "codex", "gemini", "ollama"))
ANN = '[backends.ann]\ntype = "scripted"\nmodel = "big"\n[[backends.ann.replies]]\nreply = "x"\n'
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
    assert "codex, version unknown (codex: exit code 3: cannot start), no key set; whether it is" in out
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


MUTE = '[backends.mute]\ntype = "scripted"\n[[backends.mute.replies]]\nerror = "auth"\nreply = "the key was revoked"\n'


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
