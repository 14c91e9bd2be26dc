"""Any command line tool."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.backends.cli.backend import LONGEST_ARGUMENT, CliConfig, CommandBackend
from pytest_lok.backends.cli.claude import CLAUDE
from pytest_lok.backends.cli.codex import CODEX
from pytest_lok.core.asking.images import Image
from pytest_lok.errors import BackendError, BackendFault
from pytest_lok.workspace.processes.descendants import MARK
from pytest_lok.workspace.processes.runner import LocalProcesses
from tests.backends.asking import ask, expect_error
from tests.backends.tools import fake_tool


def backend(
    tmp_path: Path, command: str | Path, *args: str, environ: dict[str, str] | None = None, **more: Any
) -> CommandBackend:
    return CommandBackend(
        "mine",
        CliConfig(command=str(command), args=args, **more),
        run=LocalProcesses(tmp_path, {}).launch,
        workspace=tmp_path,
        environ={"PATH": os.environ["PATH"], **(environ or {})},
    )


def test_the_prompt_goes_in_and_the_answer_comes_out(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="  an änswer\nof two lines\n\n")
    reply = ask(backend(tmp_path, fake.path, "--fast"), "a quéstion")
    assert reply.text == "an änswer\nof two lines"
    assert (reply.usage.calls, reply.usage.tokens) == (1, None)
    assert fake.args == ["--fast"]
    assert fake.stdin.decode() == "a quéstion"
    assert fake.cwd == tmp_path.resolve()


def test_the_prompt_in_an_argument(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="x")
    ask(backend(tmp_path, fake.path, "--ask={prompt}", "--", "{prompt}"), "{model} $HOME 'q'")
    assert fake.args == ["--ask={model} $HOME 'q'", "--", "{model} $HOME 'q'"]
    assert fake.stdin == b""


def test_a_prompt_too_long_for_an_argument_names_stdin(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="x")
    error = expect_error(backend(tmp_path, fake.path, "{prompt}"), "ü" * (LONGEST_ARGUMENT // 2 + 1))
    assert error.kind is BackendFault.TOO_LONG
    assert "stdin" in error.hint
    assert ask(backend(tmp_path, fake.path, "{prompt}"), "ü" * (LONGEST_ARGUMENT // 2)).text == "x"
    assert ask(backend(tmp_path, fake.path), "ü" * 1_000_000).text == "x"


def test_the_model_has_its_place_in_the_arguments(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="x")
    mine = backend(tmp_path, fake.path, "-m", "{model}", model="small")
    ask(mine)
    assert fake.args == ["-m", "small"]
    assert ask(mine, model="large").model == "large"  # whose price is then known
    assert fake.args == ["-m", "large"]


def test_a_model_without_a_place_is_not_dropped(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="x")
    error = expect_error(backend(tmp_path, fake.path), model="large")
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "{model}" in error.hint
    problem = backend(tmp_path, fake.path, model="small").unavailable()
    assert problem is not None
    assert "{model}" in problem.hint


def test_a_place_without_a_model(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="x")
    assert expect_error(backend(tmp_path, fake.path, "-m", "{model}")).kind is BackendFault.NOT_CONFIGURED


def test_the_system_prompt_stands_before_the_prompt_or_in_its_place(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="x")
    ask(backend(tmp_path, fake.path), "question", system="be brief")
    assert fake.stdin == b"be brief\n\nquestion"
    ask(backend(tmp_path, fake.path, "--system", "{system}"), "question", system="be brief")
    assert (fake.args, fake.stdin) == (["--system", "be brief"], b"question")


def test_codex_gets_images_as_files_that_are_gone_afterwards(tmp_path: Path) -> None:
    said = [
        {"type": "item.completed", "item": {"type": "agent_message", "text": "x"}},
        {"type": "turn.completed", "usage": {}},
    ]
    out = "".join(json.dumps(event) + "\n" for event in said)
    fake = fake_tool(tmp_path, out=out, then='for it in "$3" "$5"; do cat "$it" >> "$cd_seen/images"; done')
    images = tuple(it for end in (b"1", b"2") if (it := Image.of("a.png", b"\x89PNG\r\n\x1a\n\0" + end)))
    codex = backend(tmp_path, fake.path, dialect=CODEX)
    assert codex.takes_images
    assert not backend(tmp_path, fake.path, "{prompt}", dialect=CODEX).takes_images
    assert not backend(tmp_path, fake.path).takes_images
    assert ask(codex, "What?", images=images).text == "x"
    assert fake.args[:6:2] == ["exec", fake.args[2], fake.args[4]]
    assert (fake.args[1], fake.args[3], fake.args[5]) == ("--image", "--image", "--json")
    assert (fake.seen / "images").read_bytes() == b"".join(it.content for it in images)
    assert not Path(fake.args[2]).parent.exists()


def test_claude_gets_images_as_blocks_of_a_message(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out='{"type": "result", "is_error": false, "result": "x"}\n')
    image = Image.of("a.png", b"\x89PNG\r\n\x1a\n\0")
    assert image is not None
    claude = backend(tmp_path, fake.path, dialect=CLAUDE)
    assert ask(claude, "What?", images=(image,)).text == "x"
    assert fake.args[:2] == ["--input-format", "stream-json"]
    shown = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image.base64}}
    content = [shown, {"type": "text", "text": "What?"}]
    assert json.loads(fake.stdin) == {"type": "user", "message": {"role": "user", "content": content}}


def test_a_tool_that_falls_silent_is_not_waited_for(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="x", then="sleep 1000")
    error = expect_error(backend(tmp_path, fake.path, idle=0.3))
    assert error.kind is BackendFault.TIMEOUT
    assert "nothing for 0.3 s" in error.message
    assert "idle_timeout" in error.hint


def test_a_banner_is_skipped(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="Welcome\nto it\nthe answer\nis 2\n")
    assert ask(backend(tmp_path, fake.path, skip_lines=2)).text == "the answer\nis 2"


def test_its_environment_is_what_every_program_needs_and_what_is_named(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="x")
    environ = {
        "HOME": "/home/me",
        "LC_ALL": "C",
        "https_proxy": "http://p.test",
        "MY_KEY": "k",
        "EXTRA": "e",
        "OTHER_API_KEY": "secret",
        "GITHUB_ENV": "/tmp/x",
        "PYTHONPATH": "/evil",
        "LD_PRELOAD": "/evil.so",
    }
    ask(backend(tmp_path, fake.path, environ=environ, env=["EXTRA", "UNSET"], key_env="MY_KEY"))
    seen = fake.env.keys() - {MARK, "PWD", "OLDPWD", "SHLVL", "_"}
    assert seen == {"PATH", "HOME", "LC_ALL", "https_proxy", "MY_KEY", "EXTRA", "NO_COLOR"}


def test_without_access_the_workspace_is_not_there(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="x")
    ask(backend(tmp_path, fake.path, access="none"))
    assert (fake.seen / "files").read_text() == ""
    assert not fake.cwd.exists()


def test_a_program_of_the_workspace_or_of_the_home(tmp_path: Path) -> None:
    fake_tool(tmp_path, out="x")
    assert ask(backend(tmp_path, "./tool")).text == "x"
    assert ask(backend(tmp_path, "./tool", access="none")).text == "x"
    assert ask(backend(tmp_path, "~/tool", environ={"HOME": str(tmp_path)})).text == "x"


@pytest.mark.parametrize(
    ("command", "kind", "hint"),
    [
        ("no-such-tool", BackendFault.NOT_INSTALLED, "install it"),
        ("./missing", BackendFault.NOT_INSTALLED, "`command` in [backends.mine]"),
        ("tool --fast", BackendFault.NOT_INSTALLED, "`args` of [backends.mine]"),
        ("", BackendFault.NOT_CONFIGURED, "set `command"),
    ],
)
def test_a_tool_that_is_not_there(tmp_path: Path, command: str, kind: BackendFault, hint: str) -> None:
    mine = backend(tmp_path, command)
    problem = mine.unavailable()
    assert problem is not None
    assert problem.kind is kind
    assert hint in problem.hint
    assert expect_error(mine).message == problem.message


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        ("Error: 401 Unauthorized", BackendFault.AUTH),
        ("You are not logged in. Run `x login`.", BackendFault.AUTH),
        ("error: invalid API key", BackendFault.AUTH),
        ("HTTP 429 Too Many Requests", BackendFault.RATE_LIMIT),
        ("Rate limit reached, try again in 20s", BackendFault.RATE_LIMIT),
        ("quota exceeded", BackendFault.RATE_LIMIT),
        ("status code: 503", BackendFault.OVERLOAD),
        ("The model is overloaded", BackendFault.OVERLOAD),
        ("connect ECONNREFUSED 127.0.0.1:443", BackendFault.NETWORK),
        ("curl: (6) Could not resolve host: x", BackendFault.NETWORK),
        ("maximum context length exceeded", BackendFault.TOO_LONG),
        ("Traceback (most recent call last):\n  line 429\nKeyError: 'x'", BackendFault.CRASHED),
        ("wrote 500 lines to port 401", BackendFault.CRASHED),
        ("", BackendFault.CRASHED),
    ],
)
def test_what_it_says_when_it_fails_has_a_kind(tmp_path: Path, err: str, kind: BackendFault) -> None:
    fake = fake_tool(tmp_path, out="some output\n", err=err, code=3)
    error = expect_error(backend(tmp_path, fake.path))
    assert error.kind is kind
    assert "exit code 3" in error.message
    assert err.rpartition("\n")[2] in error.message
    assert error.hint
    assert "some output" in error.output


def test_a_long_complaint_is_cut(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, err="x" * 100_000 + "\nthe end", code=1)
    error = expect_error(backend(tmp_path, fake.path))
    assert "the end" in error.message
    assert error.output.endswith("the end")
    assert len(error.output) + len(error.message) + len(error.hint) < 10_000


def test_a_tool_that_dies_of_a_signal(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, then="kill -SEGV $$")
    error = expect_error(backend(tmp_path, fake.path))
    assert error.kind is BackendFault.CRASHED
    assert "signal 11" in error.message


def test_a_script_without_an_interpreter(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path)
    fake.path.write_text("#!/no/such/interpreter\n")
    error = expect_error(backend(tmp_path, fake.path))
    assert error.kind is BackendFault.CRASHED
    assert "interpreter" in error.hint


def test_the_version_is_the_first_line(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, out="\n1.2.3 (Tool)\nand more\n")
    known = backend(tmp_path, fake.path, "--fast", dialect=CLAUDE, access="none")
    assert asyncio.run(known.version(limit=60)) == "1.2.3 (Tool)"
    assert fake.args == ["--version"]
    assert fake.cwd != tmp_path.resolve()


@pytest.mark.parametrize(
    ("more", "kind", "why"),
    [
        ({"then": "sleep 600"}, BackendFault.TIMEOUT, "no version within 0.5 s"),
        ({"code": 1, "err": "broken"}, BackendFault.CRASHED, "exit code 1: broken"),
        ({}, BackendFault.CRASHED, "exit code 0"),
    ],
)
def test_a_version_that_does_not_come(
    tmp_path: Path, more: dict[str, Any], kind: BackendFault, why: str
) -> None:
    fake = fake_tool(tmp_path, **more)
    within = 0.5 if kind is BackendFault.TIMEOUT else 60
    with pytest.raises(BackendError, match=why) as caught:
        asyncio.run(backend(tmp_path, fake.path, dialect=CLAUDE).version(limit=within))
    assert caught.value.kind is kind


def test_no_version_of_what_is_unknown_absent_or_still_to_be_fetched(tmp_path: Path) -> None:
    fake = fake_tool(tmp_path, name="npx", out="1.2.3")
    for mine in (
        backend(tmp_path, fake.path),
        backend(tmp_path, tmp_path / "none", dialect=CLAUDE),
        backend(tmp_path, fake.path, "-y", "the-package", dialect=CLAUDE),
    ):
        assert asyncio.run(mine.version(limit=60)) == ""
    assert not (fake.seen / "cwd").exists()


@pytest.mark.parametrize(
    ("environ", "more", "variable"),
    [
        ({"ANTHROPIC_API_KEY": "k"}, {"dialect": CLAUDE}, "ANTHROPIC_API_KEY"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "k"}, {"dialect": CLAUDE}, "CLAUDE_CODE_OAUTH_TOKEN"),
        ({"ANTHROPIC_API_KEY": "k", "TEAM": "t"}, {"dialect": CLAUDE, "key_env": "TEAM"}, "TEAM"),
        ({"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": "u"}, {"dialect": CLAUDE}, ""),
        ({"ANTHROPIC_API_KEY": "k"}, {}, None),
        ({"TEAM": "t"}, {"key_env": "TEAM"}, "TEAM"),
    ],
)
def test_the_variable_the_key_is_in(
    tmp_path: Path, environ: dict[str, str], more: dict[str, Any], variable: str | None
) -> None:
    assert backend(tmp_path, "tool", environ=environ, **more).key_variable() == variable
