"""How the known tools are called, and how what they were seen to print is read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.backends.cli.backend import LONGEST_ARGUMENT, CliConfig, CommandBackend
from pytest_lok.backends.cli.claude import CLAUDE, read_claude
from pytest_lok.backends.cli.codex import CODEX, read_codex
from pytest_lok.backends.cli.dialect import CliDialect, CliError, CliReply
from pytest_lok.backends.cli.gemini import GEMINI, read_gemini
from pytest_lok.backends.cli.tools import DIALECTS
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault
from pytest_lok.workspace.processes.runner import LocalProcesses
from tests.backends.asking import ask, expect_error
from tests.backends.tools import FakeTool, fake_tool

SAMPLES = Path(__file__).parents[2] / "data" / "clis"

GOOD = {
    "claude": SAMPLES / "claude-json.txt",
    "codex": SAMPLES / "codex-json.txt",
    "gemini": SAMPLES / "gemini-stream-json.txt",
    "copilot": SAMPLES / "copilot-json.txt",
    "qwen": SAMPLES / "qwen-stream-json.txt",
    "droid": SAMPLES / "droid-stream-json.txt",
}


def printed(name: str, exit_code: int = 0) -> Completed:
    """What a tool was seen to print."""
    stderr = SAMPLES / f"{name}.stderr.txt"
    return Completed(
        exit_code=exit_code,
        stdout=(SAMPLES / f"{name}.txt").read_text(),
        stderr=stderr.read_text() if stderr.exists() else "",
        seconds=1.0,
    )


def lines(*events: dict[str, Any], exit_code: int = 0, stderr: str = "") -> Completed:
    text = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
    return Completed(exit_code=exit_code, stdout=text, stderr=stderr, seconds=1.0)


def answer(heard: CliReply | CliError) -> CliReply:
    assert isinstance(heard, CliReply), heard
    return heard


def failure(heard: CliReply | CliError) -> CliError:
    assert isinstance(heard, CliError), heard
    assert heard.message
    return heard


# --- reading: whole answers


def test_claude_answers() -> None:
    heard = answer(read_claude(printed("claude-json")))
    assert (heard.text, heard.model) == ("pong from fake", "claude-haiku-5-5")
    assert (heard.usage.input_tokens, heard.usage.output_tokens) == (114, 7)
    assert heard.usage.cost_usd == pytest.approx(0.00001463)


def test_an_older_claude_answers() -> None:
    assert answer(read_claude(printed("claude-2.1.197-json"))).text == "pong"


def test_codex_answers() -> None:
    heard = answer(read_codex(printed("codex-json")))
    assert (heard.text, heard.model, heard.usage.cost_usd) == ("pong from fake", "", None)
    assert (heard.usage.input_tokens, heard.usage.output_tokens) == (111, 7)


def test_codexs_last_message_is_its_answer() -> None:
    """After a notice that is called an error, a first message and a tool."""
    assert answer(read_codex(printed("codex-json-with-tool"))).text == "FINAL"


def test_gemini_answers_with_the_model_that_did() -> None:
    heard = answer(read_gemini(printed("gemini-stream-json")))
    assert (heard.text, heard.model) == ("pong from fake", "gemini-3.8-flash")
    assert (heard.usage.input_tokens, heard.usage.output_tokens) == (111, 7)


@pytest.mark.parametrize("tokens", [8192, 65_535, 65_536])
def test_geminis_answer_that_is_as_long_as_can_be_was_cut(tokens: int) -> None:
    said = {"type": "message", "role": "assistant", "content": "half", "delta": True}
    result = {"type": "result", "status": "success", "stats": {"output_tokens": tokens}}
    assert failure(read_gemini(lines(said, result))).kind is BackendFault.TRUNCATED


def test_geminis_answer_is_what_it_says_after_its_last_tool() -> None:
    heard = read_gemini(
        lines(
            {"type": "message", "role": "user", "content": "q"},
            {"type": "message", "role": "assistant", "content": "I will look.", "delta": True},
            {"type": "tool_use", "tool_name": "read_file"},
            {"type": "tool_result", "status": "success"},
            {"type": "message", "role": "assistant", "content": "The ", "delta": True},
            {"type": "message", "role": "assistant", "content": "end\u2028.", "delta": True},
            {"type": "result", "status": "success", "stats": {}},
        )
    )
    assert answer(heard).text == "The end\u2028."


def test_banners_around_the_answer_are_passed_over() -> None:
    good = printed("claude-json")
    noisy = f"Welcome!\n{{not json}}\n{good.stdout}\nBye\n"
    done = Completed(exit_code=0, stdout=noisy, stderr="warning", seconds=1.0)
    assert answer(read_claude(done)).text == "pong from fake"


# --- reading: failures, as they were seen


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        ("e400", BackendFault.TOO_LONG),
        ("e401", BackendFault.AUTH),
        ("e403", BackendFault.AUTH),
        ("e404", BackendFault.BAD_REQUEST),
        ("e429", BackendFault.RATE_LIMIT),
        ("e500", BackendFault.OVERLOAD),
        ("e529", BackendFault.OVERLOAD),
        ("refused", BackendFault.NETWORK),
    ],
)
def test_claudes_errors(sample: str, kind: BackendFault) -> None:
    assert failure(read_claude(printed(f"claude-error-{sample}-json", 1))).kind is kind


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        ("e400", BackendFault.TOO_LONG),
        ("e401", BackendFault.AUTH),
        ("e403", BackendFault.AUTH),
        ("e404", BackendFault.BAD_REQUEST),
        ("e429", BackendFault.RATE_LIMIT),
        ("e429-noretry", BackendFault.RATE_LIMIT),
        ("e500", BackendFault.OVERLOAD),
        ("e500-noretry", BackendFault.OVERLOAD),
        ("e503", BackendFault.OVERLOAD),
        ("e529", BackendFault.OVERLOAD),
        ("refused", BackendFault.NETWORK),
    ],
)
def test_codexs_errors(sample: str, kind: BackendFault) -> None:
    assert failure(read_codex(printed(f"codex-error-{sample}-json", 1))).kind is kind


@pytest.mark.parametrize(
    ("sample", "code", "kind"),
    [
        ("gemini-error-e401-stream-json", 145, BackendFault.AUTH),
        ("gemini-error-e429-stream-json", 173, BackendFault.RATE_LIMIT),
        ("gemini-error-e500-json", 244, BackendFault.OVERLOAD),
        ("gemini-error-refused-json", 1, BackendFault.NETWORK),
        ("gemini-stream-json-emid", 1, BackendFault.NETWORK),
        ("gemini-stream-json-loop", 0, BackendFault.TRUNCATED),
    ],
)
def test_geminis_errors(sample: str, code: int, kind: BackendFault) -> None:
    assert failure(read_gemini(printed(sample, code))).kind is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (41, BackendFault.AUTH),
        (42, BackendFault.BAD_REQUEST),
        (144, BackendFault.BAD_REQUEST),
        (145, BackendFault.AUTH),
        (173, BackendFault.RATE_LIMIT),
        (244, BackendFault.OVERLOAD),
        (17, BackendFault.OVERLOAD),
        (1, BackendFault.CRASHED),
    ],
)
def test_geminis_exit_codes_alone(code: int, kind: BackendFault) -> None:
    assert failure(read_gemini(lines(exit_code=code, stderr="it went wrong"))).kind is kind


def test_claude_not_signed_in() -> None:
    done = lines(
        {"type": "result", "is_error": True, "result": "Not logged in · Please run /login"}, exit_code=1
    )
    assert failure(read_claude(done)).kind is BackendFault.AUTH


@pytest.mark.parametrize(
    ("stop", "kind"), [("max_tokens", BackendFault.TRUNCATED), ("refusal", BackendFault.REFUSED)]
)
def test_claude_cut_or_refusing_with_exit_0(stop: str, kind: BackendFault) -> None:
    done = lines(
        {"type": "result", "subtype": "success", "is_error": False, "result": "half", "stop_reason": stop}
    )
    assert failure(read_claude(done)).kind is kind


def test_claudes_rest_of_a_cut_answer_is_no_answer() -> None:
    asked = {
        "role": "user",
        "content": [{"type": "text", "text": "Output token limit hit. Resume directly."}],
    }
    done = lines(
        {"type": "assistant", "message": {"content": [{"type": "text", "text": "the first half, "}]}},
        {"type": "user", "message": asked, "isSynthetic": True},
        {"type": "assistant", "message": {"content": [{"type": "text", "text": "the second"}]}},
        {
            "type": "result",
            "subtype": "success",
            "is_error": False,
            "result": "the second",
            "stop_reason": "end_turn",
        },
    )
    assert failure(read_claude(done)).kind is BackendFault.TRUNCATED


def test_claude_that_fails_without_saying_so() -> None:
    done = lines({"type": "result", "subtype": "success", "is_error": False, "result": "half"}, exit_code=1)
    assert failure(read_claude(done)).kind is BackendFault.CRASHED


def test_codexs_message_before_a_failed_turn_is_no_answer() -> None:
    done = lines(
        {"type": "item.completed", "item": {"type": "agent_message", "text": "half"}},
        {"type": "turn.failed", "error": {"message": "stream disconnected before completion"}},
        exit_code=1,
    )
    assert failure(read_codex(done)).kind is BackendFault.NETWORK


@pytest.mark.parametrize("read", [read_claude, read_codex, read_gemini])
@pytest.mark.parametrize("stdout", ["", "plain text", "[1]\n", '{"type": "other"}\n', '{"cut": '])
def test_output_that_holds_no_answer(read: Any, stdout: str) -> None:
    done = Completed(exit_code=0, stdout=stdout, stderr="", seconds=1.0)
    assert failure(read(done)).kind is BackendFault.BAD_OUTPUT


def test_events_cut_before_the_end_are_no_answer() -> None:
    codex = printed("codex-json").stdout.rpartition('{"type":"turn.completed"')[0]
    gemini = printed("gemini-stream-json").stdout.rpartition('{"type":"result"')[0]
    for read, stdout in ((read_codex, codex), (read_gemini, gemini)):
        done = Completed(exit_code=0, stdout=stdout, stderr="", seconds=1.0)
        assert failure(read(done)).kind is BackendFault.BAD_OUTPUT


@pytest.mark.parametrize("read", [read_claude, read_codex, read_gemini])
def test_a_tool_ended_by_a_signal_gave_no_answer(read: Any) -> None:
    done = Completed(exit_code=-9, stdout="", stderr="", seconds=1.0)
    heard = failure(read(done))
    assert (heard.kind, heard.message) == (BackendFault.CRASHED, "signal 9")


def test_a_bad_flag_is_told_in_the_tools_words() -> None:
    done = Completed(exit_code=2, stdout="", stderr="error: unexpected argument '--x' found\n", seconds=1.0)
    heard = failure(read_codex(done))
    assert heard.kind is BackendFault.BAD_REQUEST
    assert "unexpected argument '--x'" in heard.message


# --- calling


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "workspace"
    path.mkdir()
    return path


def row(
    name: str, tmp_path: Path, *, out: Path | str | None = None, **more: Any
) -> tuple[CommandBackend, FakeTool]:
    """A row over a fake of its tool that gives the answer which was seen."""
    fake = fake_tool(tmp_path, name=name, out=GOOD[name] if out is None else out)
    environ = {"PATH": os.environ["PATH"], "HOME": "/home/me", **more.pop("environ", {})}
    tool = CliConfig(command=str(fake.path), dialect=DIALECTS[name], **more)
    run = LocalProcesses(tmp_path, {}).launch
    return CommandBackend(name, tool, run=run, workspace=tmp_path / "workspace", environ=environ), fake


@pytest.mark.parametrize("name", DIALECTS)
def test_a_row_asks_and_answers(name: str, tmp_path: Path, workspace: Path) -> None:
    backend, fake = row(name, tmp_path)
    reply = ask(backend, "What is ü?")
    assert reply.text == "pong from fake"
    assert reply.backend == name
    assert fake.stdin == "What is ü?".encode()


def test_the_words_of_claude(tmp_path: Path, workspace: Path) -> None:
    backend, fake = row("claude", tmp_path, model="sonnet")
    ask(backend, system="be brief")
    assert fake.args == [
        *("-p", "--output-format", "stream-json", "--verbose"),
        *("--strict-mcp-config", "--setting-sources", "user", "--no-session-persistence"),
        *("--tools", "Read,Grep,Glob", "--model", "sonnet", "--system-prompt", "be brief"),
    ]
    assert fake.cwd == workspace.resolve()
    assert fake.env["CLAUDE_CODE_DISABLE_FILE_MENTIONS"] == "1"
    assert fake.env["DISABLE_TELEMETRY"] == "1"


def test_the_words_of_codex(tmp_path: Path, workspace: Path) -> None:
    backend, fake = row("codex", tmp_path)
    ask(backend, "the question", system="be brief", model="gpt-9")
    assert fake.args[:2] == ["exec", "--json"]
    assert fake.args[-3:] == ["-m", "gpt-9", "-"]
    assert "--skip-git-repo-check" in fake.args
    assert fake.args[fake.args.index("-s") + 1] == "read-only"
    assert fake.stdin == b"be brief\n\nthe question"
    assert fake.cwd == workspace.resolve()


def test_the_words_of_gemini(tmp_path: Path, workspace: Path) -> None:
    backend, fake = row("gemini", tmp_path, model="flash")
    ask(backend)
    assert fake.args == [
        *("-o", "stream-json", "--allowed-mcp-server-names", "none"),
        *("--include-directories", str(workspace), "-m", "flash"),
    ]
    assert fake.env["GEMINI_CLI_NO_RELAUNCH"] == "1"
    settings = json.loads(fake.files[".gemini/settings.json"])
    assert settings["general"]["maxAttempts"] == 1
    assert settings["model"]["disableLoopDetection"] is True
    assert "read_file" in settings["tools"]["core"]
    assert "google_web_search" not in settings["tools"]["core"]
    assert not fake.cwd.exists()


_SERVERS = "[mcp_servers.lok]\ncommand = 'lok'\n[mcp_servers.other-1]\nurl = 'x'\n"


@pytest.mark.parametrize(
    ("variable", "text", "args", "switched"),
    [
        ("HOME", _SERVERS, [], ["lok.enabled=false", "other-1.enabled=false"]),
        ("CODEX_HOME", _SERVERS, [], ["lok.enabled=false", "other-1.enabled=false"]),
        (
            "HOME",
            _SERVERS,
            ["-c", "mcp_servers.lok.enabled=true"],
            ["lok.enabled=true", "other-1.enabled=false"],
        ),
        ("HOME", "[mcp_servers.'a b']\ncommand = 'lok'\n", [], []),
        ("HOME", "mcp_servers = 1", [], []),
        ("HOME", "not = [toml", [], []),
        ("HOME", None, [], []),
    ],
)
def test_codex_starts_no_server_of_the_users_settings(
    tmp_path: Path, workspace: Path, variable: str, text: str | None, args: list[str], switched: list[str]
) -> None:
    """One that is started could be ``lok mcp``: the review would ask itself."""
    home = tmp_path / "home"
    folder = home / ".codex" if variable == "HOME" else home
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "config.toml").write_text(text)
    backend, fake = row("codex", tmp_path, environ={variable: str(home)}, args=args)
    ask(backend)
    assert [word.partition(".")[2] for word in fake.args if "mcp_servers" in word] == switched


@pytest.mark.parametrize("name", DIALECTS)
def test_without_access_it_runs_in_an_empty_directory_without_tools(
    name: str, tmp_path: Path, workspace: Path
) -> None:
    (workspace / "secret.txt").write_text("x")
    backend, fake = row(name, tmp_path, access="none")
    ask(backend)
    assert set(fake.files if name == "gemini" else (fake.seen / "files").read_text().split()) <= {
        ".gemini/settings.json"
    }
    assert not fake.cwd.is_relative_to(workspace)
    assert not fake.cwd.exists()
    assert str(workspace) not in " ".join(fake.args)
    assert fake.args.count("-m") == (name == "gemini")  # which would else ask which to take
    if name == "gemini":
        assert json.loads(fake.files[".gemini/settings.json"])["tools"] == {"core": ["none"]}
    else:
        words = {
            "claude": ["--tools", ""],
            "codex": ["-c", "features.shell_tool=false"],
            "copilot": ["--available-tools", "none"],
            "qwen": ["--max-tool-calls", "0"],
            "droid": ["--only-tools", "TodoWrite"],
        }[name]
        assert any(fake.args[at : at + 2] == words for at in range(len(fake.args)))


@pytest.mark.parametrize(
    ("name", "args", "absent"),
    [
        ("codex", ["exec", "--json", "-s", "read-only"], []),
        ("codex", ["exec", "--json", "--sandbox=read-only", "-"], ["-s"]),
        ("codex", ["-c", 'web_search="live"', "--disable", "plugins"], ['web_search="disabled"']),
        ("claude", ["-p", "--output-format", "text"], ["text"]),
        (
            "claude",
            ["--print", "--output-format=text", "--tools=Read"],
            ["text", "--print", "Read,Grep,Glob"],
        ),
        ("gemini", ["--output-format", "json", "-m", "old"], ["json", "--output-format"]),
    ],
)
def test_words_the_user_gives_are_not_doubled(
    name: str, args: list[str], absent: list[str], tmp_path: Path, workspace: Path
) -> None:
    backend, fake = row(name, tmp_path, args=args)
    assert ask(backend).text == "pong from fake"
    for word in ("exec", "--json", "-s", "-p", "--output-format", "-o", "-", "--tools"):
        assert fake.args.count(word) <= 1
    assert fake.args.count("plugins") <= 1
    assert not set(absent) & set(fake.args)
    assert ("exec" in fake.args[:1]) is (name == "codex")


def test_the_steps_model_replaces_the_one_in_args(tmp_path: Path, workspace: Path) -> None:
    backend, fake = row("gemini", tmp_path, args=["-m", "old"])
    ask(backend, model="new")
    assert fake.args.count("-m") == 1
    assert fake.args[-2:] == ["-m", "new"]


def test_a_launcher_keeps_its_package_first(tmp_path: Path, workspace: Path) -> None:
    fake = fake_tool(tmp_path, name="npx", out=GOOD["codex"])
    tool = CliConfig(command=str(fake.path), args=["-y", "@openai/codex", "exec", "--json"], dialect=CODEX)
    run = LocalProcesses(tmp_path, {}).launch
    ask(CommandBackend("codex", tool, run=run, workspace=workspace, environ={"PATH": os.environ["PATH"]}))
    assert fake.args[:4] == ["-y", "@openai/codex", "exec", "--json"]


@pytest.mark.parametrize("prompt", ["/help", "  /cost please", "\n/x"])
def test_claude_takes_no_prompt_for_a_command_of_its_own(
    prompt: str, tmp_path: Path, workspace: Path
) -> None:
    backend, fake = row("claude", tmp_path)
    ask(backend, prompt)
    assert fake.stdin.decode() == "\n" + prompt


def test_a_system_prompt_too_long_for_an_argument_goes_before_the_prompt(
    tmp_path: Path, workspace: Path
) -> None:
    backend, fake = row("claude", tmp_path)
    system = "s" * (LONGEST_ARGUMENT + 1)
    ask(backend, "q", system=system)
    assert "--system-prompt" not in fake.args
    assert fake.stdin.decode() == f"{system}\n\nq"


@pytest.mark.parametrize(
    ("dialect", "fits"),
    [(CLAUDE, 10_000_000), (CODEX, 1_048_576), (GEMINI, 3_500_000)],
    ids=lambda it: getattr(it, "program", ""),
)
def test_a_prompt_a_tool_would_cut_is_refused(
    dialect: CliDialect, fits: int, tmp_path: Path, workspace: Path
) -> None:
    backend, fake = row(dialect.program, tmp_path)
    error = expect_error(backend, "x" * (fits + 1))
    assert error.kind is BackendFault.TOO_LONG
    assert not (fake.seen / "stdin").exists()
    assert ask(backend, "x" * fits).text


def test_codexs_limit_is_in_characters(tmp_path: Path, workspace: Path) -> None:
    backend, fake = row("codex", tmp_path)
    ask(backend, "ü" * 1_000_000)
    assert len(fake.stdin) == 2_000_000


@pytest.mark.parametrize("name", DIALECTS)
def test_only_its_own_key_is_in_its_environment(name: str, tmp_path: Path, workspace: Path) -> None:
    keys = {
        "ANTHROPIC_API_KEY": "1",
        "CODEX_API_KEY": "2",
        "GEMINI_API_KEY": "3",
        "GITHUB_TOKEN": "4",
        "COPILOT_GITHUB_TOKEN": "6",
        "OPENAI_API_KEY": "7",
        "FACTORY_API_KEY": "8",
        "EXTRA": "5",
    }
    backend, fake = row(name, tmp_path, environ=keys, env=["EXTRA"])
    ask(backend)
    own = {
        "claude": {"ANTHROPIC_API_KEY"},
        "codex": {"CODEX_API_KEY", "OPENAI_API_KEY"},
        "gemini": {"GEMINI_API_KEY"},
        "copilot": {"COPILOT_GITHUB_TOKEN"},
        "qwen": {"OPENAI_API_KEY"},
        "droid": {"FACTORY_API_KEY"},
    }[name]
    assert fake.env.keys() & keys.keys() == {*own, "EXTRA"}
    assert fake.env["HOME"] == "/home/me"


def test_a_key_from_another_variable(tmp_path: Path, workspace: Path) -> None:
    environ = {"ANTHROPIC_API_KEY": "private", "WORK_KEY": "work"}
    backend, fake = row("claude", tmp_path, environ=environ, key_env="WORK_KEY")
    ask(backend)
    assert fake.env["ANTHROPIC_API_KEY"] == "work"


@pytest.mark.parametrize(
    ("name", "out", "code", "remedy"),
    [
        ("claude", "claude-error-e401-json", 1, "ANTHROPIC_API_KEY"),
        ("codex", "codex-error-e401-json", 1, "codex login"),
        ("gemini", "gemini-error-e401-stream-json", 145, "GEMINI_API_KEY"),
    ],
)
def test_who_is_not_signed_in_is_told_how(
    name: str, out: str, code: int, remedy: str, tmp_path: Path, workspace: Path
) -> None:
    fake = fake_tool(tmp_path, name=name, out=SAMPLES / f"{out}.txt", code=code)
    tool = CliConfig(command=str(fake.path), dialect=DIALECTS[name])
    run = LocalProcesses(tmp_path, {}).launch
    backend = CommandBackend(name, tool, run=run, workspace=workspace, environ={"PATH": os.environ["PATH"]})
    error = expect_error(backend)
    assert error.kind is BackendFault.AUTH
    assert remedy in error.hint


@pytest.mark.parametrize("name", DIALECTS)
def test_who_has_not_installed_it_is_told_how(name: str, tmp_path: Path, workspace: Path) -> None:
    run = LocalProcesses(tmp_path, {}).launch
    tool = CliConfig(dialect=DIALECTS[name])
    backend = CommandBackend(name, tool, run=run, workspace=workspace, environ={"PATH": str(tmp_path)})
    problem = backend.unavailable()
    assert problem is not None
    assert problem.kind is BackendFault.NOT_INSTALLED
    assert "npm install -g" in problem.hint
    assert expect_error(backend).kind is BackendFault.NOT_INSTALLED


def test_a_wish_to_wait_is_heard_from_a_message(tmp_path: Path, workspace: Path) -> None:
    fake = fake_tool(
        tmp_path,
        name="gemini",
        out=SAMPLES / "gemini-error-e429-stream-json.txt",
        err=SAMPLES / "gemini-error-e429-stream-json.stderr.txt",
        code=173,
    )
    run = LocalProcesses(tmp_path, {}).launch
    tool = CliConfig(command=str(fake.path), dialect=GEMINI)
    error = expect_error(
        CommandBackend("gemini", tool, run=run, workspace=workspace, environ={"PATH": os.environ["PATH"]})
    )
    assert (error.kind, error.retry_after) == (BackendFault.RATE_LIMIT, 1.0)
    assert "injected error 429" in error.output
