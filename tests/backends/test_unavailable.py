"""A backend that cannot answer says why to whoever asks."""

import asyncio

import pytest

from pytest_lok.backends.unavailable import UnavailableBackend
from pytest_lok.engine.ports import Backend, Prompt
from pytest_lok.errors import BackendError, BackendFault


def test_it_says_why_each_time_anew() -> None:
    backend: Backend = UnavailableBackend("x", BackendFault.DISABLED, "is switched off", "switch it on")
    first, second = backend.unavailable(), backend.unavailable()
    assert str(first) == str(second) == "x is switched off\n  hint: switch it on"
    assert first is not second, "an exception that is raised twice grows its traceback"
    with pytest.raises(BackendError) as caught:
        asyncio.run(backend.ask(Prompt(text="?")))
    assert (caught.value.kind, caught.value.backend) == (BackendFault.DISABLED, "x")
    assert not caught.value.transient
