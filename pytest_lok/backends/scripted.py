"""Rules -> replies: the offline backend, for tests, demonstrations and dry runs.

::

    Scripted("claude", "always this")
    Scripted("claude", {"security": "…", "style": "…"})              # by a part of the prompt
    Scripted("claude", [ScriptedReply(match="x", error="rate_limit", times=1), ScriptedReply(reply="ok")])
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_lok.backends.error_mapping import remedy
from pytest_lok.core.results import Reply, Usage
from pytest_lok.core.text.truncation import truncate
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.ports import Prompt
from pytest_lok.errors import BackendError, BackendFault, UsageError
from pytest_lok.late_regex import late_regex

_GROUP = late_regex(r"\\g<(\w+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedReply:
    r"""A rule: what to answer to which prompts.

    The rule applies if the prompt's text contains ``match`` and ``regex`` is found in it ("" = always), for
    the first ``times`` such prompts (None = all). ``reply`` is the answer; "" = the text of ``file``. With
    ``regex``, ``\g<1>`` and ``\g<name>`` in the answer are replaced by what the groups found. ``error``
    raises BackendError of that kind instead ("rate_limit", any BackendFault), with ``reply`` as its message.
    ``retry_after`` and ``delay`` are seconds. ``usage`` None = estimated, at four characters a token.
    """

    match: str = ""
    regex: str = ""
    reply: str = ""
    file: str | Path = ""
    error: str = ""
    retry_after: float | None = None
    delay: float = 0.0
    times: int | None = None
    usage: Usage | None = None

    def __post_init__(self) -> None:
        if self.error:
            _fault(self.error)
        try:
            re.compile(self.regex)
        except re.error as error:
            raise UsageError(f"the regex {self.regex!r} of a scripted reply is wrong: {error}") from None


class Scripted:
    """A backend that answers by the first rule that applies; ``asked`` keeps the prompts that it got."""

    def __init__(
        self,
        name: str,
        rules: str | Mapping[str, str] | Iterable[ScriptedReply] = (),
        *,
        model: str = "scripted",
    ) -> None:
        self._name = name
        self._model = model
        self._rules = _rules(rules)
        self._used = [0] * len(self._rules)
        self.asked: list[Prompt] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def takes_images(self) -> bool:
        return True

    def unavailable(self) -> BackendError | None:
        return None

    async def ask(self, prompt: Prompt) -> Reply:
        """The answer of the first rule that applies; BackendError if the rule says so, or if none applies."""
        self.asked.append(prompt)
        rule, found = self._find(prompt.text)
        if rule.delay:
            await asyncio.sleep(rule.delay)
        text = self._text(rule)
        if rule.error:
            raise BackendError(
                text or f"{self._name} was told to fail: {rule.error}",
                kind=_fault(rule.error),
                backend=self._name,
                hint=remedy(_fault(rule.error), self._name),
                retry_after=rule.retry_after,
            )
        if found is not None:
            text = _GROUP.sub(lambda group: _expand(group, found), text)
        usage = rule.usage or Usage(
            calls=1,
            input_tokens=_tokens(prompt.system + prompt.text),
            output_tokens=_tokens(text),
            cost_usd=0.0,
        )
        return Reply(text=text, backend=self._name, model=prompt.model or self._model, usage=usage)

    async def aclose(self) -> None:
        # nothing is held
        pass

    def _find(self, text: str) -> tuple[ScriptedReply, re.Match[str] | None]:
        for number, rule in enumerate(self._rules):
            if rule.times is not None and self._used[number] >= rule.times:
                continue
            found = re.search(rule.regex, text) if rule.regex else None
            if rule.match in text and (found is not None or not rule.regex):
                self._used[number] += 1
                return rule, found
        raise BackendError(
            f"{self._name} has no reply for this prompt: {truncate(text)}",
            kind=BackendFault.NOT_CONFIGURED,
            backend=self._name,
            hint=f"add [[backends.{self._name}.replies]] with a `match` for it, or one without as the last",
        )

    def _text(self, rule: ScriptedReply) -> str:
        if not rule.file:
            return rule.reply
        try:
            return Path(rule.file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BackendError(
                f"{self._name} cannot read its reply from {rule.file}: {error}",
                kind=BackendFault.NOT_CONFIGURED,
                backend=self._name,
                hint=f"correct `file` in [[backends.{self._name}.replies]]",
            ) from error


def _rules(rules: str | Mapping[str, str] | Iterable[ScriptedReply]) -> tuple[ScriptedReply, ...]:
    if isinstance(rules, str):
        return (ScriptedReply(reply=rules),)
    if isinstance(rules, Mapping):
        return tuple(ScriptedReply(match=match, reply=reply) for match, reply in rules.items())
    return tuple(rules)


def _fault(name: str) -> BackendFault:
    try:
        return BackendFault[re.sub(r"[ -]", "_", name).upper()]
    except KeyError:
        known = ", ".join(fault.name.lower() for fault in BackendFault)
        raise UsageError(f"a scripted reply knows no error {name!r}", hint=f"one of: {known}") from None


def _expand(group: re.Match[str], found: re.Match[str]) -> str:
    name = group[1]
    try:
        return found[int(name) if name.isdecimal() else name] or ""
    except IndexError:
        return group[0]


def _tokens(text: str) -> int:
    return (len(text) + 3) // 4
