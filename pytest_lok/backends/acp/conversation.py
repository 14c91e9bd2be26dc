"""The Agent Client Protocol, version 1: one question to an agent, in JSON-RPC messages, one a line.

The conversation only sees bytes and gives bytes::

    initialize -> session/new -> [the model is chosen] -> session/prompt -> its answer, with a stopReason

Every request of the agent is refused, for nobody is there to allow anything: a permission by the option
that rejects, all others by an error. Each that the protocol knows is counted; an extension of an agent's own
is none, for no client has to have it. A message that the protocol does not have at that point ends the
conversation with an error, so that an answer is whole or there is none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from pytest_lok.backends import error_mapping as faults
from pytest_lok.backends.acp.turn import AcpTurn, tool_use
from pytest_lok.backends.cli.dialect import (
    AgentQuestion,
    CliDialect,
    CliError,
    CliReply,
    CliResult,
    strip_ansi,
)
from pytest_lok.backends.cli.transcripts import (
    PLAIN_TERMINAL,
    Event,
    error_text,
    text_or_empty,
)
from pytest_lok.backends.json_fields import table, tables
from pytest_lok.core.asking.acp_agents import AcpAgent
from pytest_lok.core.text.strict_json import load_stored
from pytest_lok.core.text.truncation import truncate
from pytest_lok.engine.ports import Completed
from pytest_lok.errors import BackendFault, OutputError
from pytest_lok.version import __version__

VERSION = 1
LONGEST = 64 * 1024 * 1024
"""Bytes that an agent may say in one conversation."""

_SIGN_IN_FIRST, _NO_SUCH_METHOD = -32000, -32601
_OF_THE_PROTOCOL = ("session/", "fs/", "terminal/", "elicitation/", "mcp/")
_LONGEST_ID = 200
_SHOWN = 300

_Step: TypeAlias = Callable[[Event], bytes]


class AcpConversation:
    """One question to one agent: a ``Conversation``."""

    def __init__(self, question: AgentQuestion, *, has_notices: bool = False) -> None:
        self._question = question
        self._line = bytearray()
        self._heard = 0
        self._number = 0
        self._method = ""
        self._next: _Step = self._initialized
        self._session = ""
        self._model = question.model
        self._sign_in = ""
        self._turn = AcpTurn(has_notices=has_notices)
        self._result: CliResult | None = None
        self._is_over = False
        self.opening = self._request(
            "initialize",
            self._initialized,
            protocolVersion=VERSION,
            clientCapabilities={"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False},
            clientInfo={"name": "lok", "title": "lok", "version": __version__},
        )

    def receive(self, data: bytes) -> bytes | None:
        """Take the next piece of what the agent says: what to answer; None when nothing is left to say."""
        self._heard += len(data)
        if self._heard > LONGEST:
            self._fail(f"it said more than {LONGEST // 1024 // 1024} MiB")
            return None
        *lines, rest = data.split(b"\n")
        answers = bytearray()
        for line in lines:
            whole, self._line = bytes(self._line) + line, bytearray()
            answers += self._take(whole)
        self._line += rest
        return None if self._is_over else bytes(answers)

    def result(self, done: Completed) -> CliResult:
        """What came of it, once the process has ended; an error of the agent's with its words on stderr."""
        result = self._result
        if result is None:
            code = done.exit_code
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            result = CliError(
                kind=BackendFault.CRASHED, message=f"it ended with {how} before it answered {self._method}"
            )
        said = strip_ansi(done.stderr).strip()
        # an agent that told what is wrong needs no other words
        is_told = self._result is not None and (
            isinstance(result, CliReply) or result.kind is not BackendFault.BAD_OUTPUT or bool(result.hint)
        )
        if is_told or not said or isinstance(result, CliReply):
            return result
        kind = (faults.fault_of_text(said) if self._result is None else None) or result.kind
        return CliError(kind=kind, message=f"{result.message}; on stderr: {said[-_SHOWN:]}")

    # --- messages

    def _take(self, line: bytes) -> bytes:
        """The answer to one line; a line of blanks is none."""
        if not line.strip():
            return b""
        try:
            message = load_stored(line.decode())
        except OutputError as error:
            return self._fail(f"a message of it cannot be used: {error.message}")
        except ValueError:
            message = None
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return self._fail(f"it said what is no message of ACP: {_shown(line)}")
        method = message.get("method")
        if method is None:
            return self._answered(message)
        if not isinstance(method, str):
            return self._fail(f"it said what is no message of ACP: {_shown(line)}")
        if "id" in message:
            return self._asked(method, message["id"], table(message, "params"))
        if method == "session/update":
            self._updated(table(message, "params"))
        return b""

    def _request(self, method: str, then: _Step, **params: object) -> bytes:
        self._number += 1
        self._method, self._next = method, then
        return _encoded(id=self._number, method=method, params=params)

    def _answered(self, message: Event) -> bytes:
        """The agent answers our request; what answers none is an error."""
        if self._is_over:
            return b""
        if type(message.get("id")) is not int or message["id"] != self._number:
            return self._fail(f"it answered what nobody asked: {_shown(_encoded(**message))}")
        if message.get("error") is not None:
            return self._failed(message["error"])
        # an agent has nothing to say to a choice of a model
        result = message.get("result", False)
        result = {} if result is None and self._method == "session/set_model" else result
        if not isinstance(result, dict):
            return self._fail(f"its answer to {self._method} is no result: {_shown(_encoded(**message))}")
        return self._next(result)

    def _failed(self, error: object) -> bytes:
        """The agent answers our request by an error."""
        said = _words(error)
        if isinstance(error, dict) and error.get("code") == _SIGN_IN_FIRST:
            said = f"it is not signed in: {said}{self._sign_in}"
            return self._end(CliError(kind=BackendFault.AUTH, message=said))
        kind = faults.fault_of_text(said) or BackendFault.CRASHED
        return self._end(CliError(kind=kind, message=f"{self._method}: {said}"))

    def _asked(self, method: str, number: object, params: Event) -> bytes:
        """The agent asks for something: it is refused."""
        if self._is_over:
            return b""
        if not isinstance(number, int | str) or len(str(number)) > _LONGEST_ID:
            return self._fail(f"it asks {truncate(method, 80)} under an id that is none")
        if method != "session/request_permission":
            if method.startswith(_OF_THE_PROTOCOL):
                self._turn.refused.append((truncate(method, 80), params))
            return _encoded(id=number, error={"code": _NO_SUCH_METHOD, "message": "lok refuses this request"})
        self._turn.refused.append(tool_use(table(params, "toolCall")))
        return _encoded(id=number, result={"outcome": _rejection(params)})

    # --- the question, step by step

    def _initialized(self, result: Event) -> bytes:
        version = result.get("protocolVersion")
        if type(version) is not int or version != VERSION:
            return self._end(
                CliError(
                    kind=BackendFault.NOT_CONFIGURED,
                    message=f"it speaks version {version} of ACP, lok speaks {VERSION}",
                    hint="update the agent, or install a version that speaks this one",
                )
            )
        ways = [text_or_empty(way.get("name")) for way in tables(result, "authMethods")]
        self._sign_in = f" (it offers: {truncate(', '.join(ways), _SHOWN)})" if any(ways) else ""
        return self._request(
            "session/new", self._opened, cwd=self._question.directory, mcpServers=list[str]()
        )

    def _opened(self, result: Event) -> bytes:
        self._session = text_or_empty(result.get("sessionId"))
        if not self._session:
            return self._fail("it opened no session")
        option, models = _model_option(result), table(result, "models")
        wanted = self._question.model
        if not wanted:
            current = (option or {}).get("currentValue") or models.get("currentModelId")
            self._model = text_or_empty(current)
            return self._ask()
        if option is not None:
            return self._request(
                "session/set_config_option",
                self._chosen,
                sessionId=self._session,
                configId=option.get("id"),
                value=wanted,
            )
        if models:
            return self._request(
                "session/set_model", lambda _: self._ask(), sessionId=self._session, modelId=wanted
            )
        return self._end(
            CliError(
                kind=BackendFault.NOT_CONFIGURED,
                message=f"it lets nobody choose a model, and is to be {wanted}",
                hint="put {model} into `args`, or choose the model in the agent's own settings",
            )
        )

    def _chosen(self, result: Event) -> bytes:
        option = _model_option(result)
        if option is None or option.get("currentValue") != self._question.model:
            now = (option or {}).get("currentValue")
            return self._fail(f"it was to be {self._question.model}, and is {now or 'another model'}")
        return self._ask()

    def _ask(self) -> bytes:
        prompt = [{"type": "text", "text": self._question.text}]
        return self._request("session/prompt", self._ended, sessionId=self._session, prompt=prompt)

    def _updated(self, params: Event) -> None:
        """What the agent tells on its way: its text, and what that costs."""
        if self._method != "session/prompt":
            return
        update = table(params, "update")
        is_text = update.get("sessionUpdate") == "agent_message_chunk"
        if self._is_over:
            if is_text:
                self._late()
        elif is_text and params.get("sessionId") != self._session:
            self._fail("it spoke in a session that nobody opened")
        elif problem := self._turn.update(update):
            self._end(problem)

    def _ended(self, result: Event) -> bytes:
        return self._end(self._turn.result(result, self._model, self._question.allow_refusals))

    def _late(self) -> None:
        if isinstance(self._result, CliReply):
            said = "it went on after the end of its turn"
            self._result = CliError(kind=BackendFault.BAD_OUTPUT, message=said)

    def _fail(self, message: str) -> bytes:
        # what a process prints while it is being ended is no part of the conversation
        error = CliError(kind=BackendFault.BAD_OUTPUT, message=message)
        return b"" if self._is_over else self._end(error)

    def _end(self, result: CliResult) -> bytes:
        self._result, self._is_over = result, True
        return b""


def acp_dialect(agent: AcpAgent | None) -> CliDialect:
    """How an agent is called; None = one that nothing is known about."""
    if agent is None:
        return CliDialect(converse=AcpConversation, env=PLAIN_TERMINAL, escape_prompt=_no_command)
    return CliDialect(
        program=agent.program,
        install=agent.install,
        sign_in=f"sign in: {agent.sign_in}",
        version=("--version",),
        env={**PLAIN_TERMINAL, **agent.env},
        keys=agent.keys,
        escape_prompt=_no_command,
        converse=partial(AcpConversation, has_notices=agent.has_notices),
    )


def _no_command(prompt: str) -> str:
    """A prompt that no agent takes for a command of its own, which begins with a slash."""
    return f"Question:\n\n{prompt}" if prompt.lstrip().startswith("/") else prompt


def _rejection(params: Event) -> Mapping[str, object]:
    """The outcome that refuses: an option that rejects, rather once than always; else a cancellation."""
    options = {str(it.get("kind")): it.get("optionId") for it in tables(params, "options")}
    chosen = options.get("reject_once") or options.get("reject_always")
    return {"outcome": "selected", "optionId": chosen} if chosen else {"outcome": "cancelled"}


def _words(error: object) -> str:
    """What an error says, with its details unless it says them itself."""
    said = error_text(error) or "an error without words"
    data = error.get("data") if isinstance(error, dict) else None
    details = data.get("details") if isinstance(data, dict) else None
    more = text_or_empty(details) or error_text(data)
    return f"{said}: {truncate(more, _SHOWN)}" if more and more not in said else said


def _model_option(result: Event) -> Event | None:
    return next((it for it in tables(result, "configOptions") if it.get("category") == "model"), None)


def _encoded(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def _shown(line: bytes) -> str:
    return truncate(line.decode("utf-8", "replace").strip(), _SHOWN)
