"""An HTTP answer that is coming in: what its events have said so far, and whether that is a whole answer.

A dialect calls the methods of PartialReply for each event. The first error counts, and no later event makes
good an answer that had one. ``to_reply`` decides at the end: an answer is whole only if the server said so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from typing import Any, TypeAlias

from pytest_lok.backends.endings import CUT, Ending, Endings, ending_for
from pytest_lok.backends.http.endpoint import Endpoint
from pytest_lok.backends.http.event_states import ending_of
from pytest_lok.backends.json_fields import sum_counters
from pytest_lok.core.results import Reply, Usage
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import BackendFault


@dataclass(slots=True)
class PartialReply:
    """What has come of an answer so far.

    ``ended``: nothing more is to be read. ``open``: the event that always comes last has not come yet.
    ``fault`` None = nothing speaks against the answer yet; else ``why`` says in the server's words what does.
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
    _has_ending: bool = False
    # any text after the ending, also white space
    _has_more: bool = False
    _has_text_after: bool = False
    _candidates: set[str] = field(default_factory=set)

    def add_usage(self, usage: Any, inputs: Collection[str], outputs: Collection[str]) -> None:
        """Take the token counters that are reported; later reports replace earlier ones."""
        if (count := sum_counters(usage, *inputs)) is not None:
            self.input_tokens = count
        if (count := sum_counters(usage, *outputs)) is not None:
            self.output_tokens = count

    def add_text(self, text: str) -> None:
        """Append a piece of the answer's text."""
        self.text.append(text)
        self._has_text_after = self._has_text_after or (self._has_ending and bool(text.strip()))
        self._has_more = self._has_more or (self._has_ending and bool(text))

    def discard_text(self) -> None:
        """Forget the text so far: the server said that it was no part of the answer."""
        self.text.clear()
        self._candidates.clear()

    def require_one(self, answers: object) -> None:
        """Set an error if an event holds more than one answer, whatever their numbers are."""
        if isinstance(answers, list) and len(answers) > 1:
            self.set_error(BackendFault.BAD_OUTPUT, "the server gave several answers at once")

    def from_candidate(self, number: object) -> None:
        """Note the number of the candidate that the text belongs to; text of two candidates is an error."""
        self._candidates.add(str(number))
        if len(self._candidates) > 1:
            self.set_error(BackendFault.BAD_OUTPUT, "the server gave several answers at once")

    def end_with(self, word: object, known: Endings, said: Any = "") -> None:
        """Take the server's word for how the answer ended, and its comment ``said``.

        None and "" are no word.
        """
        if word is None or word == "":
            return
        self._has_ending, self._has_text_after = True, False
        if end := ending_for(word, known):
            self.set_ending(end, said)

    def set_ending(self, end: Ending, said: Any = "") -> None:
        """The answer ended, but is not whole; ``said`` holds the server's words, if it has some."""
        self.set_error(end.kind, f"{end.why}: {said}" if said else end.why)

    def on_event(self, event: Mapping[str, Any], on_event: OnEvent) -> None:
        """Read an event by its dialect (``on_event``), then look for bad news in all its other fields."""
        had_ending = self._has_ending
        on_event(self, event)
        if self.fault is None and (end := ending_of(event, ends=self._has_ending and not had_ending)):
            self.set_ending(end)

    def add_refusal(self, text: str) -> None:
        """Append a piece of the model's explanation why it refuses; an empty text is none."""
        if text:
            self.refusal += text
            self.fault, self.why = BackendFault.REFUSED, f"the model refused: {self.refusal}"

    def set_error(self, kind: BackendFault, why: str) -> None:
        """Note why the answer is none; only the first error counts."""
        if self.fault is None:
            self.fault, self.why = kind, why

    @property
    def is_settled(self) -> bool:
        """Whether the answer has ended, as far as can be known while the stream is open."""
        return self._has_ending and not self.open and not self._has_more

    def to_reply(
        self, endpoint: Endpoint, asked: str, *, max_tokens: int | None = None, is_free: bool = False
    ) -> Reply:
        """The whole answer; BackendError with the text so far where it is not whole.

        ``asked`` is the model, where the server names none. Some servers say "stop" of an answer that they
        cut at ``max_tokens``, so an answer of exactly that length counts as cut.
        """
        text = "".join(self.text)
        # Some servers close the stream in the same way whether an answer is whole or not; their word decides.
        if not self._has_ending and self.ended:
            self.set_error(BackendFault.NETWORK, "the server did not say how its answer ended: it may be cut")
        elif not self._has_ending or self.open or self._has_text_after:
            self.set_error(BackendFault.NETWORK, "the answer broke off in the middle")
        elif max_tokens is not None and self.output_tokens == max_tokens:
            self.set_ending(CUT, f"it has all the {max_tokens} tokens that it may have")
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
                cost_usd=0.0 if is_free else None,
            ),
        )


OnEvent: TypeAlias = Callable[[PartialReply, Mapping[str, Any]], None]
"""Folds one decoded event of an API into what has come so far."""
