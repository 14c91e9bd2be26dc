"""An assertion of promptfoo → a check of lok, or why it is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_lok.core.conversion.toml_text import quoted
from pytest_lok.core.conversion.translation import NOT_HELD
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

_KEYS = frozenset({"type", "value", "metric"})
_LIMITS = {"cost": "cost <= {}", "latency": "seconds * 1000 <= {}"}
_TEXTS = {
    "equals": "output == {}",
    "contains": "output contains {}",
    "icontains": "icontains(output, {})",
    "starts-with": "output.startswith({})",
    "regex": "matches(output, {})",
    "llm-rubric": "rubric({})",
}
"""Conditions about the output and one text, which may differ from case to case."""
_LISTS = {
    "contains-any": ("output contains {}", " or "),
    "contains-all": ("output contains {}", " and "),
    "icontains-any": ("icontains(output, {})", " or "),
    "icontains-all": ("icontains(output, {})", " and "),
}
_SHOWN = 200
_VARIABLE = late_regex(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedCheck:
    """A condition, in which ``{}`` stands for ``value``, if it has one; ``schema`` is that of the output.

    ``mark`` says what could not be said; the condition does not hold then.
    """

    condition: str = ""
    value: str | None = None
    schema: str = ""
    mark: str = ""

    @property
    def kind(self) -> tuple[str, str, str]:
        """What it has in common with those of other cases, that may differ in their value alone."""
        return self.condition, self.schema, self.mark


def untranslated(what: str) -> TranslatedCheck:
    """The check for what lok cannot say, which does not hold."""
    return TranslatedCheck(condition=NOT_HELD, mark=what)


def check_of(assertion: object, variables: Mapping[str, Any]) -> TranslatedCheck:
    """The check that an assertion is, with these values for the variables in it."""
    if not isinstance(assertion, Mapping):
        return untranslated(_shown(assertion))
    try:
        assertion = {key: _filled(it, variables) if key == "value" else it for key, it in assertion.items()}
    except ValueError:
        return untranslated(_shown(assertion))
    written = str(assertion.get("type", ""))
    kind, negated = written.removeprefix("not-"), written.startswith("not-")
    value, known = assertion.get("value"), _KEYS | ({"threshold"} if kind in _LIMITS else set())
    if assertion.keys() - known:
        return untranslated(_shown(assertion))
    says: Callable[[str], str] = (lambda text: f"not ({text})") if negated else str
    if kind in _LIMITS and _is_number(assertion.get("threshold")) and value is None:
        return TranslatedCheck(condition=says(_LIMITS[kind].format(assertion["threshold"])))
    if (
        kind in _TEXTS
        and isinstance(value, str | int | float)
        and not isinstance(value, bool)
        and value != ""
    ):
        return TranslatedCheck(condition=says(_TEXTS[kind]), value=str(value))
    if (
        kind in _LISTS
        and isinstance(value, list)
        and value
        and all(isinstance(it, str | int | float) for it in value)
    ):
        form, joined = _LISTS[kind]
        return TranslatedCheck(
            condition=says(f"({joined.join(form.format(quoted(str(it))) for it in value)})")
        )
    if kind == "is-json" and value in (None, ""):
        return TranslatedCheck(condition=says("is_json(output)"))
    if kind == "is-json" and isinstance(value, dict) and not negated:
        return TranslatedCheck(condition="is_json(output)", schema=json.dumps(value, sort_keys=True))
    return untranslated(_shown(assertion))


def _filled(value: Any, variables: Mapping[str, Any]) -> Any:
    """A text, or a list of them, with its variables filled in; ValueError for another template."""
    if isinstance(value, list):
        return [_filled(held, variables) for held in value]
    if not isinstance(value, str) or not has_template(value):
        return value
    made = _VARIABLE.sub(lambda tag: str(variables.get(tag[1], tag[0])), value)
    if has_template(made):
        raise ValueError("a template that says more than a variable")
    return made


def has_template(text: str) -> bool:
    """Whether promptfoo would put something into the text."""
    return "{{" in text or "{%" in text or "{#" in text


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(assertion: object) -> str:
    """The assertion in one line."""
    text = json.dumps(assertion, ensure_ascii=False, default=str)
    return f"assert {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"


def conditions(checks: Sequence[TranslatedCheck], keys: Sequence[str]) -> list[str]:
    """The conditions of a step; a value that all cases share stands in the text, and has the key ""."""
    found = []
    for check, key in zip(checks, keys, strict=True):
        value = f"case.{key}" if key else quoted(check.value or "")
        # without a value there is no place for one, and braces are a text's own
        found.append(check.condition if check.value is None else check.condition.replace("{}", value))
    return list(dict.fromkeys(found))
