"""A workflow of llm-mux, as its TOML says it → a translation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pytest_lok.core.conversion.toml_text import key_line, plain
from pytest_lok.core.conversion.translation import (
    TranslatedStep,
    Translation,
    named,
    outside_quotes,
    rewritten_tags,
)
from pytest_lok.core.text.words import words

_TYPES = {"shell": "run", "query": "prompt", "apply": "source", "store": "", "input": ""}
_STEP_KEYS = words("""
    name type role parallel min_success prompt run source verify verify_retries verify_retry_prompt
    rollback_on_failure depends_on if for_each continue_on_error timeout retries retry_delay output_schema
    options
""")
_TOP_KEYS = frozenset({"name", "description", "version", "args", "timeout", "continue_on_error", "steps"})
_SAME = ("for_each", "continue_on_error", "timeout", "retries", "retry_delay", "output_schema")
"""Keys of a step that mean the same in both."""

_REWRITES = (
    (re.compile(r"\bargs\s*\."), "arg."),
    (re.compile(r"(\bsteps\.[\w-]+)\.outputs\.([\w-]+)"), r"\1.replies.\2"),
    (re.compile(r"(\bsteps\.[\w-]+)\.error\b"), r"\1.reason"),
    (re.compile(r"(\bsteps\.[\w-]+)\.duration_ms\b"), r"(\1.seconds * 1000)"),
    (re.compile(r"\btruncate_chars\(\s*(\d+)\s*\)"), r"truncate(\1, true, '', 0)"),
)


def is_llm_mux(document: Mapping[str, Any]) -> bool:
    """Whether a TOML document says each of its steps with a ``type``, as llm-mux does."""
    steps = document.get("steps")
    tables = [it for it in steps if isinstance(it, dict)] if isinstance(steps, list) else []
    return bool(tables) and all(it.get("type") in _TYPES for it in tables)


def translate(document: Mapping[str, Any], source: str) -> Translation:
    """The translation of a workflow; ``source`` is what the file is called."""
    return _LlmMux(plain(document), source).translated().settled()


class _LlmMux:
    def __init__(self, document: Mapping[str, Any], source: str) -> None:
        self._document = document
        self._made = Translation(source=source)
        self._steps: list[dict[str, Any]] = [it for it in document["steps"] if isinstance(it, dict)]
        self._names: dict[str, str] = {}
        self._own: dict[int, str] = {}
        for step in self._steps:
            name = str(step.get("name", "step"))
            self._own[id(step)] = named(name, self._own.values())
            self._names.setdefault(name, self._own[id(step)])
        # steps whose edits were applied by a step of their own, and that step
        self._applied: dict[str, dict[str, Any]] = {}

    def translated(self) -> Translation:
        """The workflow, which may not load yet."""
        self._head()
        for step in self._steps:
            if step["type"] == "apply" and (source := self._source_of(step)) is not None:
                self._applied[source] = step
        joined = {id(it) for it in self._applied.values()}
        self._made.steps = [self._step(step) for step in self._steps if id(step) not in joined]
        roles = sorted({str(it["role"]) for it in self._steps if self._is_named(it)})
        for role in roles:
            self._made.settings += [f"[roles.{role}]", 'backends = ["…", "…"]        # those of llm-mux', ""]
        self._made.roles = set(roles)
        return self._made

    def _head(self) -> None:
        document, made = self._document, self._made
        for key in ("name", "description", "continue_on_error"):
            if document.get(key):
                made.keys[key] = document[key]
        if "timeout" in document:
            # there the whole run has that long, and here it is each step's
            made.tables["budget"] = {"time": document["timeout"]}
        args = document.get("args")
        for name, said in (args if isinstance(args, dict) else {}).items():
            made.tables[f"args.{name}"] = said if isinstance(said, dict) else {}
        made.marks += [f"`{key}` of the workflow" for key in document if key not in _TOP_KEYS]

    def _source_of(self, step: Mapping[str, Any]) -> str | None:
        """The question whose edits an ``apply`` step applies, if both can be one step; None if not."""
        name = re.sub(r"^steps\.|\.output$", "", str(step.get("source", "")))
        asks = next((it for it in self._steps if it.get("name") == name and it["type"] == "query"), None)
        alone = not step.keys() & {"if", "for_each", "retries"} and {*step.get("depends_on", ())} <= {name}
        if asks is None or not alone or asks.get("parallel") or name in self._applied or "for_each" in asks:
            return None
        return name

    def _step(self, step: dict[str, Any]) -> TranslatedStep:
        made = TranslatedStep(keys={"name": self._own[id(step)]})
        depends = [self._behind(str(it)) for it in step.get("depends_on", ())]
        if depends:
            made.keys["depends_on"] = list(dict.fromkeys(depends))
        made.keys |= {key: step[key] for key in _SAME if key in step}
        for key in ("if", "for_each"):
            if isinstance(step.get(key), str):
                made.keys[key] = self._expression(step[key])
        match step["type"]:
            case "shell":
                made.keys["shell"] = self._command(str(step.get("run", "")))
            case "query":
                self._question(step, made)
            case kind:
                lines = "\n".join(key_line(key, held) for key, held in step.items())
                made.was = ["[[steps]]", *lines.split("\n")]
                made.give_up(_why_not(kind))
        made.marks += [f"`{key}`" for key in step if key not in _STEP_KEYS]
        return made

    def _behind(self, name: str) -> str:
        """The step that does what the one of that name did: of edits, the question."""
        asked = next((it for it, step in self._applied.items() if step.get("name") == name), name)
        return self._names.get(asked, asked)

    def _question(self, step: Mapping[str, Any], made: TranslatedStep) -> None:
        made.keys["prompt"] = rewritten_tags(str(step.get("prompt", "")), self._rewritten)
        role = str(step.get("role", ""))
        is_named = self._is_named(step)
        if is_named:
            made.keys["backend"] = role
        if step.get("parallel"):
            made.keys["consensus"] = "all"
            # of those whom nobody names one is enough by itself
            made.keys |= {"quorum": step.get("min_success", 1)} if is_named else {}
        elif "min_success" in step:
            made.marks.append("`min_success` without `parallel`")
        applied = self._applied.get(str(step.get("name")))
        if applied is None:
            return
        made.keys |= {"apply_edits": True, "rollback": bool(applied.get("rollback_on_failure", False))}
        if applied.get("verify"):
            made.keys["verify"] = self._command(str(applied["verify"]))
        if applied.get("verify_retries"):
            made.keys["fix_retries"] = applied["verify_retries"]
        if applied.get("verify_retry_prompt"):
            made.marks.append("`verify_retry_prompt`: the model is told what failed in lok's own words")
        made.marks.append('the prompt has to ask for {"edits": [{"file": …, "old": …, "new": …}]}')

    def _is_named(self, step: Mapping[str, Any]) -> bool:
        """Whether the step has to name its role: lok's default may be one backend alone."""
        many = bool(step.get("parallel")) and step.get("min_success", 1) != 1
        return bool(step.get("role")) and (step["role"] != "default" or many)

    def _command(self, text: str) -> str:
        """Shell text; values need no escaping here."""
        return rewritten_tags(text, lambda it: self._rewritten(re.sub(r"\s*\|\s*shell_escape\b", "", it)))

    def _expression(self, text: str) -> str:
        return outside_quotes(text, self._rewritten)

    def _rewritten(self, expression: str) -> str:
        for pattern, ours in _REWRITES:
            expression = pattern.sub(ours, expression)
        for name, ours in self._names.items():
            behind = self._behind(name)
            if name not in (ours, "") or behind != ours:
                expression = re.sub(rf"\bsteps\.{re.escape(name)}(?![\w-])", f"steps.{behind}", expression)
        return expression


def _why_not(kind: str) -> str:
    return {
        "apply": "`apply`: put `apply_edits = true` on the step that asks for the edits",
        "store": "`store` keeps facts in llm-mux's own memory",
        "input": "`input` asks a person",
    }.get(kind, f"a step of type {kind!r}")
