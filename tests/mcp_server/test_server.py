from __future__ import annotations

import json
import subprocess
import sys

from tests.cli.test_mcp import HELLO, ask_of

CHATTY = """
import asyncio, os, sys
from pytest_lok.errors import LokError
from pytest_lok.mcp_server.server import serve_stdio
from pytest_lok.mcp_server.toolbox import Toolbox

class Chatty(Toolbox):
    def tools(self):
        print("printed")
        os.write(1, b"written\\n")
        os.system("echo by a child")
        return []

    async def call(self, name, given, tell):
        if name == "wrong":
            raise LokError("secret-1 is wrong", hint="\\x1b[31mcorrect it")
        raise ZeroDivisionError("secret-1 divided")

asyncio.run(serve_stdio(Chatty(None, limit=1), lambda text: text.replace("secret-1", "***").replace("\\x1b", "ESC"), sys.stderr))
print("afterwards")
"""


def test_what_others_print_is_no_part_of_the_protocol_and_errors_are_masked() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHATTY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        ask_of(process, 1, "initialize", HELLO)
        ask_of(process, 2, "tools/list", {})
        ask_of(process, 3, "tools/call", {"name": "wrong", "arguments": {}})
        ask_of(process, 4, "tools/call", {"name": "broken"})
        answers = [json.loads(process.stdout.readline()) for _ in range(4)]
        process.stdin.close()
        rest, said = process.stdout.read(), process.stderr.read()
    by_id = {answer["id"]: answer["result"] for answer in answers}
    assert by_id[2]["tools"] == []
    wrong, broken = by_id[3], by_id[4]
    assert wrong["isError"]
    assert broken["isError"]
    assert wrong["content"][0]["text"] == "*** is wrong\n  hint: ESC[31mcorrect it"
    assert broken["content"][0]["text"].startswith("this is a bug of lok: ZeroDivisionError: *** divided")
    assert rest == "afterwards\n", "standard output is what it was once the protocol has ended"
    for what in ("printed", "written", "by a child", "ZeroDivisionError"):
        assert what in said
