"""An HTTP answer that is coming in: what its events have said so far, and whether that is a whole answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pytest_lok.backends.endings import CUT, Ending, Endings, ending_for
from pytest_lok.backends.http.endpoint import Endpoint
from pytest_lok.backends.http.event_states import ending_of
from pytest_lok.backends.json_fields import sum_counters
from pytest_lok.core.results import Reply, Usage
from pytest_lok.errors import BackendFault


@dataclass(slots=True)
class PartialReply:
    """What has come of an answer so far.

    ``ended``: nothing more is to be read; ``open``: an event that always comes last has not come yet.
    ``fault`` says that the answer is none, ``why`` in the server's words.
    """

    text: list[str] = field(default_factory=list)
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    ended: bool = False
    open: bool = False
    refusal: str = ""
    fault: BackendFault | None = None
    why: str = ""
    _whole: bool = False
    _more: bool = False
    _after: bool = False
    _parts: set[str] = field(default_factory=set)

    def add_usage(self, usage: Any, inputs: Collection[str], outputs: Collection[str]) -> None:
        """Take those of the counters that are reported; later reports replace earlier ones."""
        if (count := sum_counters(usage, *inputs)) is not None:
            self.input_tokens = count
        if (count := sum_counters(usage, *outputs)) is not None:
            self.output_tokens = count

    def add_text(self, text: str) -> None:
        """More of the answer."""
        self.text.append(text)
        self._after = self._after or (self._whole and bool(text.strip()))
        self._more = self._more or (self._whole and bool(text))

    def discard_text(self) -> None:
        """What came was none of the answer."""
        self.text.clear()
        self._parts.clear()

    def require_one(self, answers: object) -> None:
        """Of what one event holds of answers there must be one, whatever number they bear."""
        if isinstance(answers, list) and len(answers) > 1:
            self.set_error(BackendFault.BAD_OUTPUT, "the server gave several answers at once")

    def from_candidate(self, number: object) -> None:
        """What comes is of that one of several answers; more than one is none."""
        self._parts.add(str(number))
        if len(self._parts) > 1:
            self.set_error(BackendFault.BAD_OUTPUT, "the server gave several answers at once")

    def end_with(self, word: object, known: Endings, said: Any = "") -> None:
        """The server's word for how the answer ended, and what it said of it; None and "" are none."""
        if word is None or word == "":
            return
        self._whole, self._after = True, False
        if end := ending_for(word, known):
            self.set_ending(end, said)

    def set_ending(self, end: Ending, said: Any = "") -> None:
        """It ended, and not as a whole answer; ``said``: the server's words, if it has some."""
        self.set_error(end.kind, f"{end.why}: {said}" if said else end.why)

    def on_event(self, event: Mapping[str, Any], on_event: OnEvent) -> None:
        """An event, in its dialect; and whatever it tells beside."""
        was = self._whole
        on_event(self, event)
        if self.fault is None and (end := ending_of(event, ends=self._whole and not was)):
            self.set_ending(end)

    def add_refusal(self, text: str) -> None:
        """Some of the model's words why it does not answer."""
        if text:
            self.refusal += text
            self.fault, self.why = BackendFault.REFUSED, f"the model refused: {self.refusal}"

    def set_error(self, kind: BackendFault, why: str) -> None:
        """The server said that this is no answer; its first word counts."""
        if self.fault is None:
            self.fault, self.why = kind, why

    @property
    def is_settled(self) -> bool:
        """Whether it has ended, as far as can be known while the stream goes on."""
        return self._whole and not self.open and not self._more

    def reply(self, endpoint: Endpoint, asked: str, *, most: int | None = None, free: bool = False) -> Reply:
        """A whole answer of the model ``asked``, or BackendError with what came of it.

        Some servers say "stop" of an answer that they cut at the ``most`` tokens that were asked for.
        """
        text = "".join(self.text)
        if not self._whole and self.ended:
            self.set_error(BackendFault.NETWORK, "the server did not say how its answer ended: it may be cut")
        elif not self._whole or self.open or self._after:
            self.set_error(BackendFault.NETWORK, "the answer broke off in the middle")
        elif most is not None and self.output_tokens == most:
            self.set_ending(CUT, f"it has all the {most} tokens that it may have")
        if self.fault is not None:
            raise endpoint.error(self.fault, self.why, output=text)
        return Reply(
            text=text,
            backend=endpoint.backend,
            model=self.model or asked,
            usage=Usage(
                calls=1,
                input_tokens=self.input_tokens,
                output_tokens=self.output_tokens,
                cost_usd=0.0 if free else None,
            ),
        )


OnEvent: TypeAlias = Callable[[PartialReply, Mapping[str, Any]], None]
"""Folds one decoded event of an API into what has come so far."""
