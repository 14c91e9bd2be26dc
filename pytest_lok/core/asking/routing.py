"""The words of a task and the strengths of each backend -> the backends, the best first, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

GENERAL = "general"
"""The strength that counts if the task asks for no other one."""

# What a task of each kind usually says; a word may go on ("optimi" is in "optimising").
_TASK_WORDS: Mapping[str, tuple[str, ...]] = {
    "analysis": ("n+1", "query", "queries", "code smell", "refactor", "pattern"),
    "security": ("security", "insecure", "injection", "xss", "csrf", "auth", "vulnerab", "exploit", "audit"),
    "dead-code": ("dead code", "unused", "unreachable", "remove", "cleanup", "clean up"),
    "performance": ("performance", "slow", "optimis", "optimiz", "speed", "latency"),
    "architecture": ("architect", "design", "structure", "organis", "organiz", "module boundar"),
}
_OTHER_WORDS = {"auth": "author"}  # what begins like a sign and is none
_MAX_POINTS, _MIN_POINTS = 10, 1  # points of a strength that is named first, and of one that is named late
_TAG = late_regex(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """How well a backend suits a task; with 0 ``points`` nothing speaks for it."""

    backend: str
    points: int
    why: str


def rank(task: str, strengths: Mapping[str, Sequence[str]]) -> list[Ranked]:
    """Every backend, the best for the task first; equal ones in the order given.

    A strength is one of the kinds of task that are known by their words (``analysis``, ``security``,
    ``dead-code``, ``performance``, ``architecture``, ``general``) or any word or phrase that a task may
    hold. The earlier a backend names it, the more it counts.
    """
    text = " ".join(_TAG.sub(" ", task).casefold().split())
    asked = {
        name: _signs_in(_canonical_strength(name), text) for names in strengths.values() for name in names
    }
    if not any(asked.values()):
        asked |= {name: ("",) for name in asked if _canonical_strength(name) == GENERAL}
    ranked = [_ranked(backend, names, asked) for backend, names in strengths.items()]
    return sorted(ranked, key=lambda it: -it.points)


def _ranked(backend: str, strengths: Sequence[str], asked: Mapping[str, Sequence[str]]) -> Ranked:
    points, why = 0, []
    for place, name in enumerate(dict.fromkeys(strengths)):
        if signs := asked[name]:
            points += max(_MIN_POINTS, _MAX_POINTS - place)
            said = _quoted_list(signs)
            why.append(f"{name} (the task says {said})" if said else f"{name} tasks")
    return Ranked(
        backend=backend,
        points=points,
        why=f"strong in {', '.join(why)}" if why else "the task asks for none of its strengths",
    )


def _signs_in(strength: str, text: str) -> tuple[str, ...]:
    """The words of the task that ask for a strength."""
    if strength not in _TASK_WORDS:
        return (strength,) if re.search(rf"(?<!\w){re.escape(strength)}(?!\w)", text) else ()
    return tuple(sign for sign in _TASK_WORDS[strength] if _has_word(text, sign))


def _has_word(text: str, sign: str) -> bool:
    exception = f"(?!{re.escape(_OTHER_WORDS[sign].removeprefix(sign))})" if sign in _OTHER_WORDS else ""
    return re.search(rf"(?<!\w){re.escape(sign)}{exception}", text) is not None


def _canonical_strength(strength: str) -> str:
    """``Dead code`` and ``dead_code`` are ``dead-code``; other words are as in a task."""
    known = re.sub(r"[\s_]+", "-", strength.strip().casefold())
    return known if known in _TASK_WORDS or known == GENERAL else strength.strip().casefold()


def _quoted_list(signs: Iterable[str]) -> str:
    return ", ".join(f"`{sign}`" for sign in signs if sign)
