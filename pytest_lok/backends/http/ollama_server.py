"""An Ollama server as a backend: whether one answers, which models it has, and which of them is asked."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pytest_lok.backends.cli.environment import search_path
from pytest_lok.backends.http.backend import HttpBackend
from pytest_lok.backends.http.client import HttpClient
from pytest_lok.backends.http.endpoint import HttpConfig
from pytest_lok.backends.http.ollama import CHAT
from pytest_lok.backends.json_fields import tables, text_of
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault

_LIMIT = 1.0
"""Seconds that a look at a server takes at most, with the look-up of its name."""


class ServerState(NamedTuple):
    """What a look at a server found out.

    ``problem`` is why it cannot be asked, "" if it can. ``models`` are those it has, and ``chat_model`` is
    the first of them that answers in words; "" = there is none.
    """

    problem: str = ""
    models: tuple[str, ...] = ()
    chat_model: str = ""


class OllamaServer:
    """A server at ``url``, looked at when somebody wants to know, and only then."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._state: ServerState | None = None

    def state(self, *, again: bool = False) -> ServerState:
        """What the first look found. With ``again`` a server that had a problem is looked at once more."""
        if self._state is None or (again and self._state.problem):
            self._state = self._look()
        return self._state

    def _look(self) -> ServerState:
        found = [ServerState(problem=f"no Ollama server answers at {self.url}")]

        def look() -> None:
            with suppress(OSError, ValueError):
                # most machines have no server, and need no more than this to know it
                socket.create_connection(_host_and_port(self.url), _LIMIT).close()
                from http.client import HTTPException

                with suppress(HTTPException):  # something listens, and speaks something else
                    found.append(self._ask())

        # a name that is looked up, or a server that sends a byte a second, obeys no timeout of a socket
        thread = Thread(target=look, daemon=True)
        thread.start()
        thread.join(_LIMIT)
        return found[-1]

    def _ask(self) -> ServerState:
        status, said = self._request("GET", "/api/tags")
        if status != 200 or not isinstance(said, dict) or not isinstance(said.get("models"), list):
            return ServerState(problem=f"what answers at {self.url} is no Ollama server (HTTP {status})")
        models = tuple(filter(None, (text_of(it.get("name")) for it in tables(said, "models"))))
        return ServerState(models=models, chat_model=next(filter(self._chats, models), ""))

    def _chats(self, model: str) -> bool:
        """Whether the model answers in words; some only turn a text into numbers. Old servers do not say."""
        _, said = self._request("POST", "/api/show", {"model": model})
        abilities = said.get("capabilities") if isinstance(said, dict) else None
        return not isinstance(abilities, list) or "completion" in abilities

    def _request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        from http.client import HTTPConnection, HTTPSConnection

        parts = urlsplit(self.url)
        make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = make(*_host_and_port(self.url), timeout=_LIMIT)
        try:
            base = parts.path.rstrip("/").removesuffix("/api")
            content = None if body is None else json.dumps(body)
            connection.request(method, base + path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        return response.status, json.loads(data) if response.status == 200 else None


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class OllamaBackend(HttpBackend):
    """Asks an Ollama server. Where no model is named, that is the first one that it has.

    ``servers`` are those that are known already, by their URL; this adds its own.
    """

    def __init__(
        self,
        name: str,
        api: HttpConfig,
        *,
        http: HttpClient,
        environ: Mapping[str, str],
        servers: MutableMapping[str, OllamaServer],
    ) -> None:
        super().__init__(name, api, CHAT, http=http, environ=environ)
        url = self._api.base_url
        self._server = servers.setdefault(url, OllamaServer(url))
        self._path = search_path(environ)

    def unreachable(self) -> BackendError | None:
        """NETWORK or NOT_INSTALLED where no server answers, NOT_CONFIGURED where it lacks the model."""
        return self._problem(self._server.state(), self._api.config.model)

    def usual_model(self) -> str:
        """The model that is asked where a step names none; "" where that is not known."""
        return self._api.config.model or self._server.state().chat_model

    async def _model_for(self, prompt: Prompt) -> str:
        if prompt.model or self._api.config.model:
            return prompt.model or self._api.config.model
        import asyncio

        state = await asyncio.to_thread(self._server.state, again=True)
        if problem := self._problem(state, ""):
            raise problem
        return state.chat_model

    def _problem(self, state: ServerState, model: str) -> BackendError | None:
        table = self._api.table
        if state.problem:
            is_installed = shutil.which("ollama", path=self._path) is not None
            is_expected = is_installed or self._api.config.base_url or self._api.url_variable
            kind = BackendFault.NETWORK if is_expected else BackendFault.NOT_INSTALLED
            start = "`ollama serve` starts it" if is_installed else "install and start Ollama"
            hint = f"{start}; OLLAMA_HOST, or `base_url` in {table}, says where it is"
            return self._api.error(kind, state.problem, hint)
        if not state.chat_model:
            hint = "`ollama pull` fetches one; https://ollama.com/library lists them"
            return self._api.error(BackendFault.NOT_CONFIGURED, "the server has no model", hint)
        if model and not {model, f"{model}:latest"} & {*state.models}:
            there = ", ".join(state.models)
            hint = f"`ollama pull {model}`, or set `model` in {table} to one that is there: {there}"
            return self._api.error(BackendFault.NOT_CONFIGURED, f"the server has no model {model}", hint)
        return None
