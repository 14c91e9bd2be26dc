"""An agent that speaks ACP as its script says: ``python fake_acp_agent.py SCRIPT.json``.

The script has a list of acts by method. An act is a table with one key: ``update``, ``said`` (a message),
``raw`` (a line as it is), ``ask`` (a request; its answer is waited for), ``result``, ``error``, ``stderr``,
``exit``, ``hang``. What the agent is told is kept in ``SCRIPT.json.told``, a message a line.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

SESSION = "s-1"
USUAL: dict[str, list[dict[str, Any]]] = {
    "initialize": [{"result": {"protocolVersion": 1, "agentCapabilities": {}}}],
    "session/new": [{"result": {"sessionId": SESSION}}],
    "session/prompt": [{"said": "pong"}, {"result": {"stopReason": "end_turn"}}],
}


class Agent:
    def __init__(self, script: Path) -> None:
        self.acts = {**USUAL, **json.loads(script.read_text())}
        self.told = Path(f"{script}.told").open("a")  # noqa: SIM115 - as long as the process

    def hear(self) -> dict[str, Any] | None:
        line = sys.stdin.readline()
        self.told.write(line)
        self.told.flush()
        return json.loads(line) if line else None

    def say(self, **message: Any) -> None:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()

    def update(self, **update: Any) -> None:
        self.say(method="session/update", params={"sessionId": SESSION, "update": update})

    def act(self, number: int, kind: str, value: Any) -> None:
        match kind:
            case "update":
                self.update(**value)
            case "said":
                self.update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": value})
            case "raw":
                sys.stdout.write(value)
                sys.stdout.flush()
            case "ask":
                self.say(id="a-1", **value)
                self.hear()
            case "result" | "error":
                self.say(id=number, **{kind: value})
            case "stderr":
                sys.stderr.write(value)
                sys.stderr.flush()
            case "exit":
                sys.exit(value)
            case "hang":
                time.sleep(1000)
            case _:
                raise ValueError(kind)

    def run(self) -> None:
        while (message := self.hear()) is not None:
            for act in self.acts.get(message.get("method", ""), []):
                [(kind, value)] = act.items()
                self.act(message["id"], kind, value)


if __name__ == "__main__":
    Agent(Path(sys.argv[1])).run()
