"""The tools without the protocol: what is followed, kept, stopped and refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_lok.errors import LokError, UsageError
from pytest_lok.mcp_server.runs import ServedRuns
from pytest_lok.mcp_server.toolbox import Toolbox
from pytest_lok.wiring import Project

SETTINGS = """
[defaults]
backend = "one"
[backends.one]
type = "scripted"
replies = [{ match = "slow", reply = "late", delay = 30 }, { match = "broken", error = "auth" }, { reply = "an answer" }]
[backends.two]
type = "scripted"
replies = [{ reply = "an answer" }]
"""
SHELL = 'description = "Runs"\n[[steps]]\nname = "a"\nshell = "{}"\n'


@dataclass(frozen=True, kw_only=True)
class Said:
    document: dict[str, Any]
    text: str


class House:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(root / "home"), "LOK_PROCESS": ""}
        self.heard: list[str] = []
        self.write("lok.toml", SETTINGS)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def workflow(self, name: str, text: str) -> None:
        self.write(f".lok/workflows/{name}.toml", text)

    def open(self) -> Project:
        return Project.open(self.root, environ=self.environ, trust=True, search_up=False)

    async def tell(self, message: str) -> None:
        self.heard.append(message)

    def run(
        self, body: Callable[[Toolbox], Awaitable[None]], *, limit: float = 20, heartbeat: float = 10
    ) -> None:
        async def bounded() -> None:
            toolbox = Toolbox(self.open, limit=limit, heartbeat=heartbeat)
            async with asyncio.timeout(60):
                try:
                    await body(toolbox)
                finally:
                    await toolbox.close()

        asyncio.run(bounded())

    async def call(self, toolbox: Toolbox, name: str, **given: Any) -> Said:
        answer = await toolbox.call(name, given, self.tell)
        return Said(document=answer.document, text=answer.text)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_who_waits_hears_that_the_run_goes_on(house: House) -> None:
    house.workflow("w", SHELL.format("sleep 0.4"))

    async def body(toolbox: Toolbox) -> None:
        assert (await house.call(toolbox, "w")).document["verdict"] == "passed"

    house.run(body, heartbeat=0.1)
    assert house.heard[0] == "[0/1] a started"
    assert house.heard[1].startswith("[0/1] running: a (")
    assert house.heard[-1].startswith("[1/1] a passed")
    assert len(house.heard) >= 4


def test_many_steps_that_end_at_once_are_one_message(house: House) -> None:
    steps = "".join(f'[[steps]]\nname = "s{at}"\nshell = "true"\n' for at in range(40))
    house.workflow("w", f'description = "Many"\n{steps}')

    async def body(toolbox: Toolbox) -> None:
        answer = await house.call(toolbox, "w")
        assert answer.document["steps"] == {"passed": 40}

    house.run(body)
    assert house.heard[-1].startswith("[40/40]")
    assert max(map(len, house.heard)) < 400


def test_a_call_that_is_cancelled_ends_its_run_and_one_that_only_looks_does_not(house: House) -> None:
    house.workflow("w", SHELL.format("sleep 30"))

    async def body(toolbox: Toolbox) -> None:
        begun = (await house.call(toolbox, "start", workflow="w")).document["run_id"]
        looking = asyncio.create_task(house.call(toolbox, "status", run_id=begun, wait_seconds=20))
        await asyncio.sleep(0.2)
        looking.cancel()
        assert (await house.call(toolbox, "status", run_id=begun)).document["state"] == "running"
        asking = asyncio.create_task(house.call(toolbox, "ask", question="slow"))
        await asyncio.sleep(0.2)
        asking.cancel()
        while True:
            newest = (await house.call(toolbox, "status")).document["runs"][0]
            if newest["state"] == "finished":
                break
            await asyncio.sleep(0.02)
        assert "the client cancelled the call" in newest["verdict"]
        ended = await house.call(toolbox, "cancel", run_id=begun)
        assert ended.document["exit_code"] == 3
        again = await house.call(toolbox, "cancel", run_id=begun)
        assert again.document == ended.document

    house.run(body)


def test_what_was_answered_before_the_end_is_not_lost(house: House) -> None:
    house.workflow(
        "w",
        'description = "Two"\n[[steps]]\nname = "paid"\nprompt = "x"\n[[steps]]\nname = "next"\nprompt = "slow {{ steps.paid.output }}"\n',
    )

    async def body(toolbox: Toolbox) -> None:
        first = await house.call(toolbox, "w")
        assert first.document["state"] == "running"
        run_id = first.document["run_id"]
        assert (await house.call(toolbox, "result", run_id=run_id, step="paid")).document[
            "output"
        ] == "an answer"
        with pytest.raises(UsageError, match="no result of a step 'next'"):
            await house.call(toolbox, "result", run_id=run_id, step="next")
        still = await house.call(toolbox, "result", run_id=run_id)
        assert still.document["state"] == "running"
        assert '"wait_seconds": 0.3' in still.text
        await house.call(toolbox, "cancel", run_id=run_id)
        result = await house.call(toolbox, "result", run_id=run_id)
        assert (
            result.document["verdict"]
            == "NOT PASSED (error, exit code 3): next: cancelled: cancelled by the client"
        )
        assert result.document["usage"]["calls"] == 2  # the question that was cancelled had begun

    house.run(body, limit=0.3)


def test_a_long_output_comes_in_parts(house: House) -> None:
    house.workflow("w", SHELL.format("seq 1 9000"))

    async def body(toolbox: Toolbox) -> None:
        done = await house.call(toolbox, "w")
        assert done.document["output_is_cut"] is True
        whole, offset = "", 0
        while offset is not None:
            part = await house.call(
                toolbox, "result", run_id=done.document["run_id"], step="a", offset=offset
            )
            whole += str(part.document["output"])
            offset = part.document["next_offset"]
        assert whole.split() == [str(number) for number in range(1, 9001)]

    house.run(body)


def test_all_findings_come_in_parts(house: House) -> None:
    found = [
        f'{{"rule_id": "r", "title": "t{at}", "message": "{"m" * 600}", "severity": "low", "confidence": 1, "path": "a.py", "line": {at}, "evidence": "x{at}"}}'
        for at in range(1, 61)
    ]
    house.write("reply.txt", f"[{','.join(found)}]")
    house.write(
        "lok.toml",
        '[defaults]\nbackend = "one"\n[backends.one]\ntype = "scripted"\nreplies = [{ file = "reply.txt" }]\n',
    )
    house.workflow(
        "w",
        'description = "Finds"\n[gate]\nevidence = "warn"\n[[steps]]\nname = "a"\nprompt = "x"\noutput_format = "findings"\n',
    )

    async def body(toolbox: Toolbox) -> None:
        run_id = (await house.call(toolbox, "w")).document["run_id"]
        titles: list[str] = []
        offset: Any = 0
        calls = 0
        while offset is not None:
            part = await house.call(toolbox, "findings", run_id=run_id, offset=offset)
            titles += [one["title"] for one in part.document["findings"]]
            offset, calls = part.document["next_offset"], calls + 1
            assert len(part.text) < 60_000
        assert sorted(titles, key=lambda title: int(title[1:])) == [f"t{at}" for at in range(1, 61)]
        assert calls > 1

    house.run(body)


def test_ask_takes_whom_the_project_names_and_is_not_green_without_an_answer(house: House) -> None:
    async def body(toolbox: Toolbox) -> None:
        usual = await house.call(toolbox, "ask", question="hello")
        assert (usual.document["verdict"], usual.document["output"]) == ("passed", "an answer")
        broken = await house.call(toolbox, "ask", question="broken", backends=["two", "one"])
        assert broken.document["exit_code"] == 3
        assert broken.document["verdict"].startswith("NOT PASSED (error, exit code 3): one: ")
        vote = await house.call(toolbox, "ask", question="hello", backends=["one", "two"], consensus="vote")
        assert (vote.document["steps"], vote.document["output"]) == ({"passed": 1}, "an answer")
        house.write(
            "lok.toml",
            "[backends.claude]\nenabled = false\n[backends.codex]\nenabled = false\n[backends.gemini]\nenabled = false\n[backends.ollama]\nenabled = false\n",
        )
        with pytest.raises(LokError, match="no backend can answer"):
            await house.call(toolbox, "ask", question="hello")

    house.run(body)


def test_a_change_of_the_settings_counts_with_the_next_call(house: House) -> None:
    house.workflow("w", SHELL.format("true"))

    async def body(toolbox: Toolbox) -> None:
        assert "w" in [tool.name for tool in toolbox.tools()]
        house.write("lok.toml", "[defaults]\nwrong = 1\n")
        assert [tool.name for tool in toolbox.tools()] == ["why_lok_cannot_run"]
        with pytest.raises(UsageError, match="unknown key `wrong`"):
            await house.call(toolbox, "w")
        house.write("lok.toml", SETTINGS)
        with pytest.raises(UsageError, match="can be used by now"):
            await house.call(toolbox, "why_lok_cannot_run")
        assert (await house.call(toolbox, "w")).document["verdict"] == "passed"

    house.run(body)


def test_a_workflow_takes_no_name_of_a_tool(house: House) -> None:
    house.workflow("status", SHELL.format("echo mine"))

    async def body(toolbox: Toolbox) -> None:
        assert [tool.name for tool in toolbox.tools()].count("status") == 1
        assert (await house.call(toolbox, "status")).document["runs"] == []
        run_id = (await house.call(toolbox, "start", workflow="status")).document["run_id"]
        assert (await house.call(toolbox, "status", run_id=run_id, wait_seconds=20)).document[
            "verdict"
        ] == "passed"

    house.run(body)


def test_hints_say_what_a_workflow_may_do(house: House) -> None:
    house.workflow("reads", 'description = "R"\n[[steps]]\nname = "a"\nprompt = "x"\n')
    house.workflow("edits", 'description = "E"\n[[steps]]\nname = "a"\nprompt = "x"\napply_edits = true\n')
    house.workflow("runs", SHELL.format("true"))

    async def body(toolbox: Toolbox) -> None:
        hints = {tool.name: (tool.read_only, tool.destructive) for tool in toolbox.tools()}
        assert [hints[name] for name in ("reads", "edits", "runs")] == [
            (True, False),
            (False, True),
            (False, None),
        ]

    house.run(body)


def test_only_so_many_runs_are_kept_and_only_so_many_go_on(house: House) -> None:
    house.workflow("w", SHELL.format("true"))
    house.workflow("long", SHELL.format("sleep 30"))

    async def body() -> None:
        from pytest_lok.core.workflow.plan import Plan

        project = house.open()
        runs = ServedRuns(most_kept=2, most_running=2)

        def start(name: str) -> str:
            return runs.start(
                Plan.of(project.load(name)), project.world(), lambda result: result.exit_code
            ).run_id

        ids = []
        for _ in range(4):
            ids.append(start("w"))
            assert await runs.get(ids[-1]).wait(20)
        assert [run.run_id for run in runs.all()] == ids[-2:]
        with pytest.raises(UsageError, match="there is no run"):
            runs.get(ids[0])
        start("long")
        start("long")
        with pytest.raises(UsageError, match="2 runs go on already"):
            start("w")
        await runs.close(project.shared.kill)
        assert all(run.ended and run.exit_code == 3 for run in runs.all()[-2:])

    asyncio.run(body())


def test_a_process_that_does_not_end_by_itself_is_killed(house: House) -> None:
    house.workflow("w", SHELL.format("trap '' TERM; touch up; while :; do sleep 1; done"))
    began = 0.0

    async def body(toolbox: Toolbox) -> None:
        nonlocal began
        await house.call(toolbox, "start", workflow="w")
        while not (house.root / "up").exists():
            await asyncio.sleep(0.02)
        began = asyncio.get_running_loop().time()
        await toolbox.close()
        assert asyncio.get_running_loop().time() - began < 4

    house.run(body)


def test_runs_are_recorded_as_those_of_the_command_line_are(house: House) -> None:
    house.workflow("w", SHELL.format("exit 1"))
    house.workflow("late", 'description = "Late"\n[[steps]]\nname = "a"\nprompt = "slow"\n')

    async def body(toolbox: Toolbox) -> None:
        run_id = (await house.call(toolbox, "w")).document["run_id"]
        record = house.open().runs.find()
        assert (record.run_id, record.state, record.exit_code) == (run_id, "ended", 1)
        assert record.beginning.command == ("lok", "mcp", "w")
        begun = await house.call(toolbox, "start", workflow="late")
        going = house.open().runs.find(begun.document["run_id"])
        assert going.state == "running"

    house.run(body)
    ended = house.open().runs.find()
    assert (ended.state, ended.exit_code) == ("ended", 3)
