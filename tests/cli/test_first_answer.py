"""From nothing to an answer: a key, a server or a tool is enough, and what is there is asked once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends.tools import fake_tool
from tests.cli.projects import Project
from tests.fake_llm_api import FakeLLM
from tests.plugin.conftest import run_apart

KEY = "sk-quite-a-key-indeed"
APIS = {
    "anthropic": ({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "{url}"}, "claude-sonnet-5-5"),
    "openai": ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "{url}/v1"}, "gpt-6.1-sol"),
    "gemini-api": ({"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": "{url}"}, "gemini-3.5-flash"),
}
CLAUDE = '{"type": "result", "subtype": "success", "result": "the tool says so"}\n'


@pytest.fixture
def server() -> Iterator[FakeLLM]:
    with FakeLLM([{"reply": "fine"}]) as fake:
        yield fake


@pytest.fixture
def bare(project: Project) -> Project:
    """A machine on which nothing is installed or set up, with a project that says nothing."""
    (project.root / "lok.toml").unlink()
    (project.root / "bin").mkdir()
    project.environ |= {"PATH": f"{project.root / 'bin'}:/usr/bin:/bin", "OLLAMA_HOST": "127.0.0.1:1"}
    return project


def export(project: Project, server: FakeLLM, *names: str) -> None:
    for name in names:
        project.environ |= {key: value.format(url=server.url) for key, value in APIS[name][0].items()}


@pytest.mark.parametrize("name", APIS)
def test_a_key_is_enough(bare: Project, name: str) -> None:
    with FakeLLM([{"match": "what is this?", "reply": "fine"}], api_key=KEY) as server:
        export(bare, server, name)
        done = bare.lok("ask", "what", "is", "this?")
    model = APIS[name][1]
    assert done.code == 0, done.err
    assert f"== {name} == {model} · " in done.out
    assert "\nfine\n" in done.out
    assert done.err.splitlines()[0] == f"asking {name} ({model})"


def test_google_has_two_names_for_its_key(bare: Project, server: FakeLLM) -> None:
    bare.environ |= {"GOOGLE_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": server.url}
    assert bare.lok("ask", "?").code == 0


def test_auto_takes_the_key_too(bare: Project, server: FakeLLM) -> None:
    export(bare, server, "openai")
    bare.workflow("w", '[[steps]]\nname = "a"\nprompt = "Audit it."\n')
    assert bare.lok("w").out == "fine\n"
    assert "asks openai (auto" in bare.lok("plan", "w").out


def test_two_keys_are_two_answers(bare: Project, server: FakeLLM) -> None:
    export(bare, server, "anthropic", "openai")
    done = bare.lok("ask", "?")
    assert done.err.splitlines()[0] == "asking anthropic (claude-sonnet-5-5), openai (gpt-6.1-sol)"
    assert done.out.count("\nfine\n") == 2
    assert bare.lok("ask", "-b", "auto", "?", "--no-cache").out.count("\nfine\n") == 1


@pytest.mark.parametrize("way", ["--all", "-b all", ""])
def test_a_tool_and_the_key_of_its_provider_are_paid_once(bare: Project, server: FakeLLM, way: str) -> None:
    export(bare, server, "anthropic")
    fake_tool(bare.root / "bin", name="claude", out=CLAUDE)
    done = bare.lok("ask", "-v", *way.split(), "?")
    assert done.err.splitlines()[:2] == [
        "anthropic is left out: claude is installed, and asks the same provider",
        "asking claude",
    ]
    assert "the tool says so" in done.out
    assert "left out" not in bare.lok("ask", *way.split(), "?").err, (
        "who asks often need not read it each time"
    )
    assert server.requests == []
    assert bare.lok("ask", "-b", "claude,anthropic", "?").out.count("\n== ") == 1, (
        "both, where both are named"
    )
    assert len(server.requests) == 1


def test_auto_takes_the_tool_of_two_that_ask_one_provider(bare: Project, server: FakeLLM) -> None:
    export(bare, server, "anthropic")
    fake_tool(bare.root / "bin", name="claude", out=CLAUDE)
    # a tool of another's strengths would lose to the API
    bare.write("lok.toml", '[backends.claude]\nstrengths = ["poetry"]\n')
    found = {it["backend"]: it["problem"] for it in bare.lok("suggest", "--json", "Anything").document}
    assert found["claude"] == ""
    assert "claude is installed, and asks the same provider" in found["anthropic"]


def test_settings_may_have_both(bare: Project, server: FakeLLM) -> None:
    export(bare, server, "anthropic")
    fake_tool(bare.root / "bin", name="claude", out=CLAUDE)
    bare.write("lok.toml", '[backends.anthropic]\nmodel = "claude-opus-5-5"\n')
    done = bare.lok("ask", "?")
    assert done.err.splitlines()[0] == "asking anthropic (claude-opus-5-5), claude"


def test_settings_may_switch_it_off(bare: Project, server: FakeLLM) -> None:
    export(bare, server, "anthropic")
    bare.write("lok.toml", "[backends.anthropic]\nenabled = false\n[backends.ollama]\nenabled = false\n")
    done = bare.lok("ask", "?")
    assert done.code == 3
    assert "anthropic, ollama: switched off" in done.err
    assert "hint: set `enabled = true` in [backends.anthropic]; " in done.err, "the nearest remedy"
    assert server.requests == []


def test_a_server_of_ollama_is_enough(bare: Project, server: FakeLLM) -> None:
    bare.environ["OLLAMA_HOST"] = server.url
    done = bare.lok("ask", "?")
    assert done.code == 0, done.err
    assert "== ollama == fake-large · " in done.out


# as printed in lok's own article; its first two steps name their tools
SECURITY_REVIEW = """
name = "security-review"
description = "Multi-pass security review with synthesis"

[[steps]]
name = "initial-scan"
backend = "codex"
prompt = "Scan this codebase for security issues. List file, line and issue."

[[steps]]
name = "deep-dive"
backend = "claude"
depends_on = ["initial-scan"]
prompt = "Look deeper into each of these: {{ steps.initial-scan.output }}"

[[steps]]
name = "synthesize"
backend = "ollama"
depends_on = ["initial-scan", "deep-dive"]
prompt = "Make one report of {{ steps.initial-scan.output }} and {{ steps.deep-dive.output }}"
"""


def test_a_workflow_of_the_user_finds_ollama_by_itself(bare: Project, server: FakeLLM) -> None:
    bare.environ["OLLAMA_HOST"] = server.url
    fake_tool(bare.root / "bin", name="claude", out=CLAUDE)
    said = '{"type": "item.completed", "item": {"type": "agent_message", "text": "one hole"}}\n'
    fake_tool(bare.root / "bin", name="codex", out=said + '{"type": "turn.completed", "usage": {}}\n')
    bare.write("home/.config/lok/workflows/security-review.toml", SECURITY_REVIEW)
    done = bare.lok("run", "security-review")
    assert (done.code, done.out) == (0, "fine\n"), done.err
    assert "one hole and the tool says so" in str(server.requests[-1])


def test_nothing_at_all_names_the_ways_out(bare: Project) -> None:
    bare.write("lok.toml", "[backends.ollama]\nenabled = false\n")
    done = bare.lok("ask", "?")
    assert (done.code, done.out) == (3, "")
    assert "no backend can answer (ollama: switched off; claude, codex, gemini: not installed)" in done.err
    assert "ANTHROPIC_API_KEY" not in done.err, "nobody misses the key of what no settings speak of"
    bare.write("lok.toml", "")
    done = bare.lok("ask", "?")
    assert "no Ollama server answers at http://127.0.0.1:1)" in done.err
    assert "hint: install and start Ollama" in done.err


def test_a_step_that_names_an_api_without_a_key_is_an_error_of_the_step(bare: Project) -> None:
    bare.workflow("w", '[[steps]]\nname = "a"\nbackend = "anthropic"\nprompt = "?"\n')
    assert bare.lok("workflow", "validate", "w").code == 0, "the same file is right on every machine"
    done = bare.lok("w")
    assert done.code == 3
    assert "the variable ANTHROPIC_API_KEY is not set" in done.err


def test_api_mode_has_a_model(bare: Project, server: FakeLLM) -> None:
    bare.environ |= {"MY_KEY": KEY, "ANTHROPIC_BASE_URL": server.url}
    bare.write("home/.config/lok/lok.toml", '[backends.claude]\napi_key_env = "MY_KEY"\n')
    assert "== claude == claude-sonnet-5-5 · " in bare.lok("ask", "?").out


def test_nobody_looks_for_a_server_that_is_not_needed(bare: Project, server: FakeLLM) -> None:
    bare.environ["OLLAMA_HOST"] = server.url
    fake_tool(bare.root / "bin", name="claude", out=CLAUDE)
    bare.workflow("w", '[[steps]]\nname = "a"\nshell = "true"\n[[steps]]\nname = "b"\nprompt = "Hello?"\n')
    assert bare.lok("w").code == 0
    for words in (
        ["plan", "w"],
        ["workflow", "list"],
        ["workflow", "validate"],
        ["ask", "-b", "claude", "?"],
    ):
        assert bare.lok(*words).code == 0
    assert server.requests == []


def test_a_session_of_pytest_looks_for_no_server(
    bare: Project, server: FakeLLM, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", server.url)
    pytester.mkdir(".lok").joinpath("workflows").mkdir()
    pytester.path.joinpath(".lok/workflows/w.toml").write_text('[[steps]]\nname = "a"\nshell = "true"\n')
    run_apart(pytester, "--lok", "-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert server.requests == []


def test_one_look_is_enough_for_a_run(bare: Project, server: FakeLLM) -> None:
    bare.environ["OLLAMA_HOST"] = server.url
    bare.workflow("w", "".join(f'[[steps]]\nname = "{name}"\nprompt = "{name}?"\n' for name in "abcd"))
    assert bare.lok("w").code == 0
    assert [it["path"] for it in server.requests].count("/api/tags") == 1


def test_nobody_answering_is_said_with_how_many_were_asked(bare: Project) -> None:
    bare.environ |= {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}
    bare.environ |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:1"}
    done = bare.lok("ask", "?")
    assert done.code == 3
    assert done.err.endswith("ask: nobody answered (2 asked)\n")
    assert "as ANTHROPIC_BASE_URL says?" in done.out


def test_the_default_backend_of_the_settings_is_asked_alone(bare: Project, server: FakeLLM) -> None:
    export(bare, server, "anthropic", "openai")
    bare.write("lok.toml", '[defaults]\nbackend = "openai"\n')
    assert bare.lok("ask", "?").err.splitlines()[0] == "asking openai (gpt-6.1-sol)"
    assert bare.lok("ask", "?", "--all").err.splitlines()[0].startswith("asking anthropic (")
    assert bare.lok("ask", "?", "-b", "anthropic", "--all").code == 2


def test_an_address_in_a_variable_is_a_whole_one(bare: Project) -> None:
    bare.environ |= {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "localhost:4000/v1"}
    done = bare.lok("ask", "-b", "openai", "?")
    assert done.code == 3
    assert "the variable OPENAI_BASE_URL holds no URL" in done.out


def test_what_auto_had_recorded_is_replayed_without_the_key(bare: Project, server: FakeLLM) -> None:
    export(bare, server, "anthropic")
    bare.workflow("w", '[[steps]]\nname = "a"\nprompt = "Hello?"\n')
    assert bare.lok("run", "w", "--record").code == 0
    del bare.environ["ANTHROPIC_API_KEY"]
    fake_tool(bare.root / "bin", name="claude", out=CLAUDE)
    assert bare.lok("run", "w", "--record=none").out == "fine\n"
    assert len(server.requests) == 1
