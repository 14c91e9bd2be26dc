"""``lok mcp`` as a process, driven by the client of the SDK over stdio, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import CallToolResult, TextContent

from tests.cli.projects import Project
from tests.cli.test_process import LONG, STARTED, alive, until

BACKENDS = """
[backends.kind]
type = "scripted"
strengths = ["review"]
replies = [{ match = "risky", reply = '[{"rule_id": "r", "title": "SQL", "message": "an injection", "severity": "critical", "confidence": 0.9, "path": "a.py", "line": 1, "evidence": "x = 1"}]' },
           { reply = "a kind answer" }]
[backends.stern]
type = "scripted"
replies = [{ reply = "a stern answer" }]
[backends.claude]
enabled = false
[backends.codex]
enabled = false
[backends.gemini]
enabled = false
[backends.ollama]
enabled = false
"""
GOOD = """
name = "Say hello"
description = "Greets somebody"
[args.who]
description = "whom"
required = true
[args.loud]
default = false
[args.how]
choices = ["kindly", "curtly"]
default = "kindly"
[[steps]]
name = "greet"
shell = "echo hello {{ arg.who }} {{ arg.loud }} {{ arg.how }}"
[[steps]]
name = "ask"
backend = "kind"
prompt = "Is {{ steps.greet.output }} polite?"
"""
RED = """
description = "Finds something"
[rules.r]
severity = "critical"
[gate]
evidence = "warn"
[[steps]]
name = "review"
backend = "kind"
prompt = "risky"
output_format = "findings"
"""


def server(project: Project, *options: str, **environ: str) -> StdioServerParameters:
    # the suite itself may run in a step of lok: the empty mark says that this server does not
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "pytest_lok.cli.main", "mcp", *options],
        cwd=project.root,
        env={**project.environ, "LOK_PROCESS": "", **environ},
    )


@asynccontextmanager
async def client(project: Project, *options: str, mode: str = "auto") -> AsyncIterator[Client]:
    async with Client(server(project, *options), mode=mode) as connected:
        yield connected


def text(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


def document(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, text(result)
    assert isinstance(result.structured_content, dict)
    return result.structured_content


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(90):
            await body()

    asyncio.run(bounded())


async def eventually(holds: Callable[[], object]) -> None:
    await asyncio.to_thread(until, holds)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_client_runs_workflows_and_reads_what_came_of_them(project: Project, mode: str) -> None:
    project.write("lok.toml", BACKENDS)
    project.workflow("good", GOOD)
    project.workflow("red", RED)
    project.workflow("quiet", '[[steps]]\nname = "a"\nshell = "true"\n')
    project.workflow("broken", "description = 'x'\n[[step]]\n")
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async def body() -> None:
        async with client(project, "--answer-within", "20", mode=mode) as it:
            assert (it.protocol_version >= "2026") == (mode == "auto")
            tools = {tool.name: tool for tool in (await it.list_tools()).tools}
            own = ["ask", "start", "status", "result", "cancel", "findings"]
            assert list(tools)[:8] == [*own, "good", "red"]
            assert {"audit", "hunt", "diff"} < set(tools)
            assert not {"quiet", "broken"} & set(tools)
            schema = tools["good"].input_schema
            assert schema["required"] == ["who"]
            assert schema["properties"]["who"] == {"type": "string", "description": "whom"}
            assert schema["properties"]["loud"] == {"type": "boolean", "default": False}
            assert schema["properties"]["how"] == {
                "type": "string",
                "default": "kindly",
                "enum": ["kindly", "curtly"],
            }
            hints = {name: tool.annotations for name, tool in tools.items()}
            assert [bool(it and it.read_only_hint) for it in (hints["good"], hints["red"], hints["ask"])] == [
                False,
                True,
                True,
            ]
            good = await it.call_tool("good", {"who": "wörld; $(id)", "loud": True}, progress_callback=hear)
            made = document(good)
            assert next(iter(made)) == "verdict"
            assert (made["verdict"], made["state"], made["exit_code"]) == ("passed", "finished", 0)
            assert made["output"] == "a kind answer"
            assert made["usage"]["calls"] == 1
            assert text(good).splitlines()[0] == "passed"
            said = await it.call_tool("result", {"run_id": made["run_id"], "step": "greet"})
            assert document(said)["output"].strip() == "hello wörld; $(id) true kindly"
            red = await it.call_tool("red", {})
            made = document(red)
            assert made["verdict"].startswith("NOT PASSED (failed, exit code 1): review: ")
            assert text(red).splitlines()[0] == made["verdict"]
            assert [(one["rule_id"], one["blocking"]) for one in made["findings"]] == [("r", True)]
            assert made["reasons"][0]["step"] == "review"
            found = document(await it.call_tool("findings", {"run_id": made["run_id"]}))
            assert (found["total"], found["next_offset"]) == (1, None)
            assert found["findings"][0]["evidence"] == "x = 1"

    run(body)
    messages = [message or "" for _, message in heard]
    assert messages[0].startswith("[0/2] greet started")
    assert messages[-1].startswith("[2/2]")
    assert "ask passed" in messages[-1]
    assert [at for at, _ in heard] == sorted({at for at, _ in heard})


def test_a_long_run_gives_its_id_and_its_result_later(project: Project) -> None:
    project.write("lok.toml", BACKENDS)
    project.workflow(
        "long", 'description = "Takes its time"\n[[steps]]\nname = "a"\nshell = "sleep 2; echo ready"\n'
    )
    project.workflow("endless", 'description = "No end"\n' + LONG.format(id=os.getpid()))

    async def body() -> None:
        mark = f"7{os.getpid()}"
        async with client(project, "--answer-within", "0.5") as it:
            first = document(await it.call_tool("long", {}))
            assert first["state"] == "running"
            assert first["verdict"].startswith("NOT FINISHED")
            assert "outcome" not in first
            # the whole time of a run is within what a client waits for, where it is told to wait
            whole = document(await it.call_tool("long", {"wait": True}))
            assert (whole["state"], whole["output"].strip()) == ("finished", "ready")
            ended = document(await it.call_tool("status", {"run_id": first["run_id"], "wait_seconds": 0.5}))
            assert (ended["state"], ended["verdict"]) == ("finished", "passed")
            result = document(await it.call_tool("result", {"run_id": first["run_id"]}))
            assert result["output"].strip() == "ready"
            # a run that is started, looked at, and cancelled
            begun = document(await it.call_tool("start", {"workflow": "endless"}))
            await eventually(lambda: len(alive(mark)) == STARTED)
            seen = document(await it.call_tool("status", {"run_id": begun["run_id"]}))
            assert list(seen["steps"]["running"]) == ["long"]
            cancelled = await it.call_tool("cancel", {"run_id": begun["run_id"]})
            assert document(cancelled)["verdict"].startswith("NOT PASSED (error, exit code 3)")
            assert "cancelled by the client" in text(cancelled)
            assert alive(mark) == []
            # a call that the client gives up
            (project.root / "started").unlink()
            task = asyncio.create_task(it.call_tool("endless", {"wait": True}))
            await eventually(lambda: len(alive(mark)) == STARTED)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await eventually(lambda: alive(mark) == [])
            listed = document(await it.call_tool("status", {}))["runs"]
            assert [one["state"] for one in listed] == ["finished"] * 4
            # the runs of a server end with it
            await it.call_tool("start", {"workflow": "endless"})
            await eventually(lambda: len(alive(mark)) == STARTED)
        await eventually(lambda: alive(mark) == [])

    run(body)


def ask_of(process: subprocess.Popen[str], number: int, method: str, params: dict[str, Any]) -> None:
    assert process.stdin
    process.stdin.write(
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n"
    )
    process.stdin.flush()


HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}


@pytest.mark.parametrize("how", ["the client dies", "SIGTERM", "nobody reads"])
def test_no_process_is_left_when_the_server_ends(project: Project, how: str) -> None:
    project.workflow("endless", 'description = "No end"\n' + LONG.format(id=os.getpid()))
    mark = f"7{os.getpid()}"
    with project.started("mcp", stdin=subprocess.PIPE, environ={"LOK_PROCESS": ""}) as process:
        assert process.stdin
        assert process.stdout
        ask_of(process, 1, "initialize", HELLO)
        assert '"id":1' in process.stdout.readline()
        ask_of(process, 2, "tools/call", {"name": "endless", "arguments": {"wait": True}})
        until(lambda: len(alive(mark)) == STARTED)
        if how == "SIGTERM":
            process.send_signal(signal.SIGTERM)
        elif how == "nobody reads":
            for number in range(3, 60):  # answers that fill the pipe
                ask_of(process, number, "tools/list", {})
            process.stdin.close()
            process.stdin = None
            until(lambda: alive(mark) == [])
        else:
            process.stdin.close()
            process.stdout.close()
            process.stdin = process.stdout = None
        if how != "nobody reads":
            assert process.wait(30) == (143 if how == "SIGTERM" else 0)
        assert alive(mark) == []
        process.kill()
        assert process.stderr
        assert "Traceback" not in process.stderr.read()


def test_only_the_protocol_is_on_stdout(project: Project) -> None:
    project.write("lok.toml", BACKENDS)
    project.workflow("good", GOOD)
    calls: list[tuple[str, Any]] = [
        ("good", {"who": 5}),
        ("good", {}),
        ("good", {"who": ["a"]}),
        ("good", {"who": "x", "how": "loudly"}),
        ("good", {"who": "x", "wait": "yes"}),
        ("good", {"who": "x\0y"}),
        ("good", {"who": "x", "wh\u202eo": "y"}),
        ("god", {}),
        ("../../etc/passwd", {}),
        ("start", {"workflow": "/etc/x.toml"}),
        ("start", {"workflow": "good", "arguments": ["x"]}),
        ("start", {}),
        ("status", {"run_id": "no"}),
        ("status", {"wait_seconds": -1}),
        ("status", {"wait_seconds": True}),
        ("result", {"run_id": 7}),
        ("findings", {"run_id": None}),
        ("ask", {"question": " "}),
        ("ask", {"question": "x", "backends": ["nobody"]}),
        ("ask", {"question": "x", "consensus": "dice"}),
        ("ask", {"question": "x", "extra": 1}),
    ]
    with project.started("mcp", stdin=subprocess.PIPE, environ={"LOK_PROCESS": ""}) as process:
        assert process.stdin
        ask_of(process, 0, "initialize", HELLO)
        process.stdin.write('this is no JSON\n{"jsonrpc": "2.0"}\n\n')
        for number, (name, arguments) in enumerate(calls, 1):
            ask_of(process, number, "tools/call", {"name": name, "arguments": arguments})
        assert process.stdout
        answers: dict[int, Any] = {}
        while len(answers) <= len(calls):
            line = json.loads(process.stdout.readline())
            assert line["jsonrpc"] == "2.0"
            if line.get("id") is not None:
                answers[line["id"]] = line
        process.stdin.close()
        process.stdin = None
        assert process.wait(30) == 0
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
    by_call = {number: answers[number]["result"] for number in range(1, len(calls) + 1)}
    refused = {number: one["content"][0]["text"] for number, one in by_call.items() if one.get("isError")}
    assert set(by_call) - set(refused) == {1, 6}
    assert by_call[6]["structuredContent"]["verdict"].startswith("NOT PASSED (error, exit code 3): greet:")
    assert not any("bug of lok" in said for said in refused.values()), refused
    assert "needs the argument 'who' (whom)" in refused[2]
    assert "choose one of: kindly, curtly" in refused[4]
    assert "did you mean 'good'?" in refused[8]
    assert "is a path" in refused[9]
    assert "there is no run 'no'" in refused[13]
    assert "there are: kind, stern" in refused[19]


def test_ask_answers_side_by_side_or_as_one(project: Project) -> None:
    project.write("lok.toml", BACKENDS)

    async def body() -> None:
        async with client(project) as it:
            both = await it.call_tool("ask", {"question": "hello", "backends": ["kind", "stern"]})
            assert document(both)["verdict"] == "passed"
            assert "== kind ==\na kind answer" in text(both)
            assert "== stern ==\na stern answer" in text(both)
            one = document(
                await it.call_tool(
                    "ask", {"question": "hello", "backends": ["stern", "kind"], "consensus": "first"}
                )
            )
            assert one["output"] in ("a stern answer", "a kind answer")

    run(body)


def test_a_project_that_is_not_trusted_has_one_tool_until_it_is(project: Project) -> None:
    project.write("lok.toml", '[backends.own]\ntype = "command"\ncommand = "./own-tool"\n')
    project.workflow("good", 'description = "Runs"\n[[steps]]\nname = "a"\nshell = "true"\n')
    del project.environ["LOK_TRUST"]

    async def body() -> None:
        async with client(project) as it:
            [tool] = (await it.list_tools()).tools
            assert tool.name == "why_lok_cannot_run"
            why = await it.call_tool(tool.name, {})
            assert why.is_error
            assert "./own-tool" in text(why)
            assert "lok trust" in text(why)
            refused = await it.call_tool("good", {})
            assert refused.is_error
            assert text(refused) == text(why)
            assert project.lok("trust").code == 0
            assert "good" in [tool.name for tool in (await it.list_tools(cache_mode="bypass")).tools]
            assert document(await it.call_tool("good", {}))["verdict"] == "passed"

    run(body)


def test_it_does_not_serve_inside_of_a_run(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_lok.cli.main", "mcp"],
        cwd=project.root, env={**project.environ, "LOK_PROCESS": "abc.1;"}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "does not serve inside of a run" in done.stderr


def test_nor_where_the_program_between_hides_the_environment(project: Project, tmp_path: Path) -> None:
    """As codex does: its servers get a few variables, and not the one that says so."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("only Linux shows the environment of other processes")
    kept = " ".join(f"{name}='{project.environ[name]}'" for name in ("PATH", "HOME", "PYTHONPATH"))
    project.workflow(
        "nested",
        f"""[[steps]]\nname = "a"\nshell = '''env -i {kept} {sys.executable} -m pytest_lok.cli.main mcp < /dev/null 2>&1; echo "code $?"'''\n""",
    )
    done = project.lok("nested")
    assert "does not serve inside of a run" in done.out
    assert "code 2" in done.out


def test_without_the_extra_it_says_how_to_get_it(project: Project) -> None:
    hidden = project.write(
        "site/mcp_types.py", "raise ModuleNotFoundError('No module named mcp_types', name='mcp_types')\n"
    )
    environ = {**project.environ, "LOK_PROCESS": ""}
    environ["PYTHONPATH"] = f"{hidden.parent}:{environ['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest_lok.cli.main", "mcp"],
        cwd=project.root, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'pytest-lok[mcp]'" in done.stderr
    assert "Traceback" not in done.stderr
