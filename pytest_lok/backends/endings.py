"""How answers end, API by API and tool by tool: the words for a whole one, and what the others mean.

The tables are closed. A word that is in none of them is an error: a server that needed a new word had an
ending that is none of the known ones, and all good ones are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import BackendFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the ending of an answer that is not whole means."""

    kind: BackendFault
    why: str


Endings: TypeAlias = Mapping[str, Ending | None]
"""Words in lower case and what they mean; None = the answer is whole."""

WHOLE = None
CUT = Ending(kind=BackendFault.TRUNCATED, why="the answer was cut at its longest length")
FILTERED = Ending(kind=BackendFault.REFUSED, why="the answer was stopped by a content filter")
DECLINED = Ending(kind=BackendFault.REFUSED, why="the model refused")
TOOL = Ending(kind=BackendFault.BAD_OUTPUT, why="the model stopped for a tool it was not given")
STOP_SEQUENCE = Ending(
    kind=BackendFault.BAD_OUTPUT, why="the model stopped at a text that nobody told it to stop at"
)
BROKE_OFF = Ending(kind=BackendFault.BAD_OUTPUT, why="the model broke off")
NOT_TEXT = Ending(kind=BackendFault.BAD_OUTPUT, why="the answer has a part that is no text")
SERVER_BROKE_OFF = Ending(kind=BackendFault.OVERLOAD, why="the server broke off")
CONNECTION_LOST = Ending(kind=BackendFault.NETWORK, why="the server lost its connection to the model")
PROMPT_TOO_LONG = Ending(kind=BackendFault.TOO_LONG, why="the prompt does not fit the model")
OUT_OF_TURNS = Ending(kind=BackendFault.TRUNCATED, why="it ran out of turns")
OUT_OF_BUDGET = Ending(kind=BackendFault.QUOTA, why="the budget of the tool is used up")
ABORTED = Ending(kind=BackendFault.CRASHED, why="its work was stopped")


def ending_for(word: object, endings: Endings) -> Ending | None:
    """The meaning of a server's word for an ending; None = the answer is whole."""
    known = word.casefold() if isinstance(word, str) else ""
    if known not in endings:
        return Ending(
            kind=BackendFault.BAD_OUTPUT, why=f"the answer ended in a way lok does not know: {word}"
        )
    end = endings[known]
    return None if end is None else Ending(kind=end.kind, why=f"{end.why} ({word})")


MESSAGES: Endings = {
    "end_turn": WHOLE,
    "stop_sequence": STOP_SEQUENCE,
    "max_tokens": CUT,
    "model_context_window_exceeded": CUT,
    "refusal": DECLINED,
    "tool_use": TOOL,
    "pause_turn": TOOL,
}
"""Anthropic's ``stop_reason``, and claude's.

No stop sequence is ever asked for, and claude writes "stop_sequence" of messages that it made itself.
"""

CONVERSE: Endings = {
    "end_turn": WHOLE,
    "stop_sequence": STOP_SEQUENCE,
    "max_tokens": CUT,
    "model_context_window_exceeded": CUT,
    "guardrail_intervened": FILTERED,
    "content_filtered": FILTERED,
    "tool_use": TOOL,
    "malformed_model_output": BROKE_OFF,
    "malformed_tool_use": BROKE_OFF,
}
"""Bedrock's ``stopReason``."""

GENERATE: Endings = {
    "stop": WHOLE,
    "max_tokens": CUT,
    **dict.fromkeys(
        (
            "safety", "recitation", "language", "blocklist", "prohibited_content", "spii", "model_armor",
            "image_safety", "image_prohibited_content", "image_recitation",
        ),
        FILTERED,
    ),
    **dict.fromkeys(
        (
            "finish_reason_unspecified", "other", "malformed_function_call", "unexpected_tool_call",
            "too_many_tool_calls", "missing_thought_signature", "malformed_response", "image_other",
            "no_image",
        ),
        BROKE_OFF,
    ),
}  # fmt: skip
"""Gemini's ``finishReason``."""

OLLAMA: Endings = {"stop": WHOLE, "length": CUT, "load": BROKE_OFF, "unload": BROKE_OFF}
"""Ollama's ``done_reason``."""

CHAT: Endings = {
    # what other APIs call it, which some gateways pass on
    **GENERATE,
    **MESSAGES,
    "stop": WHOLE,
    "eos": WHOLE,
    "eos_token": WHOLE,
    "complete": WHOLE,
    "length": CUT,
    "model_length": CUT,
    "max_output_tokens": CUT,
    "content_filter": FILTERED,
    "guardrail_intervened": FILTERED,
    "content_filtered": FILTERED,
    "sensitive": FILTERED,
    "tool_calls": TOOL,
    "function_call": TOOL,
    "error": SERVER_BROKE_OFF,
    "abort": SERVER_BROKE_OFF,
    "insufficient_system_resource": SERVER_BROKE_OFF,
    "network_error": CONNECTION_LOST,
}
"""``finish_reason`` of chat completions: OpenAI's, and those of the servers that speak like it."""

RESPONSES: Endings = {
    "completed": WHOLE,
    "max_output_tokens": CUT,
    "content_filter": FILTERED,
    "incomplete": BROKE_OFF,
    "cancelled": BROKE_OFF,
    "failed": SERVER_BROKE_OFF,
}
"""A response's ``status``, or the reason why it is incomplete."""

ANY_API: Endings = {
    **CONVERSE,
    **RESPONSES,
    **OLLAMA,
    **CHAT,
    # of a status, a state or a model behind a gateway
    "success": WHOLE,
    "succeeded": WHOLE,
    "finished": WHOLE,
    "done": WHOLE,
    "ok": WHOLE,
    "canceled": BROKE_OFF,
}
"""What any other field may say of the ending, whatever API it is of."""

CLAUDE_RESULTS: Endings = {
    "success": WHOLE,
    "error_max_turns": OUT_OF_TURNS,
    "error_max_budget_usd": OUT_OF_BUDGET,
    "error_during_execution": ABORTED,
    "error_max_structured_output_retries": BROKE_OFF,
}
"""``subtype`` of claude's result."""

CLAUDE_LOOPS: Endings = {
    "completed": WHOLE,
    "max_turns": OUT_OF_TURNS,
    "budget_exhausted": OUT_OF_BUDGET,
    "prompt_too_long": PROMPT_TOO_LONG,
    "api_error": SERVER_BROKE_OFF,
    "rapid_refill_breaker": PROMPT_TOO_LONG,
    "blocking_limit": Ending(kind=BackendFault.RATE_LIMIT, why="its usage limit is reached"),
    **dict.fromkeys(
        ("model_error", "image_error", "malformed_tool_use_exhausted", "structured_output_retry_exhausted"),
        BROKE_OFF,
    ),
    **dict.fromkeys(
        (
            "aborted_streaming", "aborted_tools", "stop_hook_prevented", "hook_stopped", "tool_deferred",
            "tool_deferred_unavailable", "background_requested", "turn_setup_failed",
        ),
        ABORTED,
    ),
}  # fmt: skip
"""``terminal_reason`` of claude's result: why its loop ended."""

ACP: Endings = {
    "end_turn": WHOLE,
    "max_tokens": CUT,
    "max_turn_requests": OUT_OF_TURNS,
    "refusal": DECLINED,
    "cancelled": ABORTED,
}
"""``stopReason`` of the Agent Client Protocol."""

COPILOT: Endings = {"success": WHOLE}
"""``result`` of copilot's last call of its model; all other words are errors of HTTP."""

GEMINI: Endings = {"success": WHOLE, "error": BROKE_OFF}
"""``status`` of the gemini tool's result."""
