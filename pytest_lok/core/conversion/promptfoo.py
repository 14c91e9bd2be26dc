"""A configuration of promptfoo → a translation: a step for each prompt, with its tests as cases."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from pytest_lok.core.conversion.assertions import (
    TranslatedCheck,
    check_of,
    conditions,
    has_template,
    untranslated,
)
from pytest_lok.core.conversion.providers import provider_of
from pytest_lok.core.conversion.toml_text import plain
from pytest_lok.core.conversion.translation import TranslatedStep, Translation, named, rewritten_tags
from pytest_lok.dataclass import dataclass

ReadBeside: TypeAlias = Callable[[str], str]
"""The text of a file by its path beside the configuration; OSError or ValueError where there is none."""

_TOP_KEYS = frozenset(
    {"description", "prompts", "providers", "targets", "tests", "defaultTest", "evaluateOptions"}
)
_IGNORED = frozenset({"$schema", "outputPath", "sharing", "writeLatestResults", "commandLineOptions"})
"""Keys that say nothing about what is asked and what has to hold."""
_TEST_KEYS = frozenset({"description", "vars", "assert", "metadata"})
_FILE = re.compile(r"(?:file://)?([^\s{}]+\.(?:txt|md))")
_BETWEEN_PROMPTS = re.compile(r"(?m)^---[ \t]*\r?\n")
_TAG_NAME = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*[|}]")
_COMMENT = re.compile(r"(?s)\{#.*?#\}")
_MOST_CASES = 2_000


def is_promptfoo(document: object) -> bool:
    """Whether a YAML document asks prompts of providers, as promptfoo's do."""
    return (
        isinstance(document, Mapping)
        and "prompts" in document
        and bool(document.keys() & {"providers", "targets"})
    )


def translate(document: Mapping[str, Any], source: str, read: ReadBeside) -> Translation:
    """The translation of a configuration; ValueError where it is too large."""
    return _Promptfoo(plain(document), source, read).translated().settled()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptfooTest:
    """One test: its name, its variables, and its checks."""

    name: str
    values: Mapping[str, Any]
    checks: tuple[TranslatedCheck, ...]


class _Promptfoo:
    def __init__(self, document: Mapping[str, Any], source: str, read: ReadBeside) -> None:
        self._document = document
        self._read = read
        self._made = Translation(source=source)
        self._prompts = list(self._all_prompts())
        self._tests = list(self._all_tests())
        names = {name for test in self._tests for name in test.values}
        self._keys = _keys_of(sorted(names))

    def translated(self) -> Translation:
        """The workflow, which may not load yet."""
        document, made = self._document, self._made
        if document.get("description"):
            made.keys["description"] = str(document["description"])
        # what asks models stays out of a plain session of tests
        made.keys["collect"] = False
        made.marks += [f"`{key}`" for key in document if key not in _TOP_KEYS | _IGNORED]
        options = document.get("evaluateOptions") or {}
        if isinstance(options, dict) and options.get("maxConcurrency"):
            made.keys["max_parallel"] = options["maxConcurrency"]
        asked = self._asked()
        if isinstance(options, dict) and options.get("repeat"):
            asked["repeat"] = options["repeat"]
        for label, texts, why in self._prompts:
            made.steps += self._steps(label, texts, asked, why)
        return made

    # --- whom it asks

    def _asked(self) -> dict[str, Any]:
        """The keys of a step that say who is asked; the settings get what they are."""
        written = self._document.get("providers") or self._document.get("targets")
        names: list[str] = []
        for entry in written if isinstance(written, list) else [written]:
            provider = provider_of(entry, names)
            names.append(provider.name)
            self._made.settings += [*provider.settings, ""]
            self._made.marks += provider.marks
        return {"matrix": {"backend": names}} if len(names) > 1 else {"backend": names[0]}

    # --- what it asks

    def _all_prompts(self) -> Iterator[tuple[str, dict[str, str], str]]:
        """The label of each prompt, its texts by key, and why it could not be read ("" = it could)."""
        written = self._document.get("prompts")
        for entry in written if isinstance(written, list) else [written]:
            text, label = (entry, "") if isinstance(entry, str) else ("", "")
            if isinstance(entry, Mapping):
                text = str(entry.get("raw") or entry.get("id") or "")
                label = str(entry.get("label") or "")
            if not text:
                yield (
                    label or "prompt",
                    {"prompt": str(entry)},
                    "this prompt is none of a text, a file and `raw`",
                )
            elif (file := _FILE.fullmatch(text.strip())) is not None:
                yield from self._file(file[1], label)
            elif text.startswith(("file://", "exec:", "http:", "https:")):
                yield (
                    label or "prompt",
                    {"prompt": text},
                    f"a prompt that a program or a server makes: {text}",
                )
            else:
                yield label, _chat(text), ""

    def _file(self, path: str, label: str) -> Iterator[tuple[str, dict[str, str], str]]:
        label = label or re.sub(r"\.\w+$", "", path.rpartition("/")[2])
        try:
            for text in filter(str.strip, _BETWEEN_PROMPTS.split(self._read(path))):
                yield label, _chat(text.strip()), ""
        except (OSError, ValueError) as error:
            yield label, {"prompt": f"file://{path}"}, f"the prompt file://{path} cannot be read: {error}"

    def _steps(
        self, label: str, texts: Mapping[str, str], asked: Mapping[str, Any], why: str
    ) -> Iterator[TranslatedStep]:
        """The steps of one prompt: one for all tests whose checks are of the same kind."""
        # there are comments in prompts there, and none here
        bare = {key: _COMMENT.sub("", text) for key, text in texts.items()}
        texts = {key: rewritten_tags(text, self._rewritten) for key, text in bare.items()}
        taken = {step.name for step in self._made.steps}
        for tests in self._groups():
            name = named(label or "answers", taken)
            taken.add(name)
            step = TranslatedStep(keys={"name": name, **texts, **asked})
            self._add_tests(step, tests)
            if why:
                step.give_up(why)
            yield step

    def _rewritten(self, expression: str) -> str:
        for name, key in self._keys.items():
            expression = re.sub(rf"(?<![\w.]){re.escape(name)}(?!\w)", f"case.{key}", expression)
        return expression

    # --- what has to hold

    def _groups(self) -> list[list[PromptfooTest]]:
        groups: dict[tuple[tuple[str, str, str], ...], list[PromptfooTest]] = {}
        for test in self._tests:
            groups.setdefault(tuple(check.kind for check in test.checks), []).append(test)
        return list(groups.values())

    def _add_tests(self, step: TranslatedStep, tests: list[PromptfooTest]) -> None:
        checks = tests[0].checks
        differ = [len({test.checks[at].value for test in tests}) > 1 for at in range(len(checks))]
        keys = [f"expected_{at}" if differs else "" for at, differs in enumerate(differ, 1)]
        if self._keys or any(keys):
            rows = []
            for test in tests:
                row = {
                    "name": test.name,
                    **{key: test.values.get(name, "") for name, key in self._keys.items()},
                }
                found = zip(keys, test.checks, strict=True)
                rows.append(row | {key: check.value for key, check in found if key})
            step.keys["cases"] = rows
        if checks:
            step.keys["assert"] = conditions(checks, keys)
        schemas = {check.schema for check in checks if check.schema}
        if len(schemas) == 1:
            step.keys["output_schema"] = json.loads(schemas.pop())
        elif schemas:
            step.marks.append("several schemas of one output")
            step.keys["assert"].append(untranslated("").condition)
        step.marks += dict.fromkeys(check.mark for check in checks if check.mark)

    def _all_tests(self) -> Iterator[PromptfooTest]:
        usual, written = self._document.get("defaultTest"), self._document.get("tests")
        tests = written if isinstance(written, list) else [{}]
        lost = [] if isinstance(written, list) or not written else [f"tests of {written}"]
        if usual is not None and not isinstance(usual, Mapping):
            lost.append(f"defaultTest of {usual}")
        usual = usual if isinstance(usual, Mapping) else {}
        taken: list[str] = []
        for number, test in enumerate(tests, 1):
            told = [*lost, *([] if isinstance(test, Mapping) else [f"test {test}"])]
            entry = test if isinstance(test, Mapping) else {}
            told += [f"`{key}` of a test" for it in (usual, entry) for key in it if key not in _TEST_KEYS]
            asserts = (*_list(usual, "assert"), *_list(entry, "assert"))
            for values in _combinations({**_table(usual, "vars"), **_table(entry, "vars")}):
                label = str(entry.get("description") or f"test-{number}")
                taken.append(named(label, taken))
                if len(taken) > _MOST_CASES:
                    raise ValueError(f"there are more than {_MOST_CASES:,} tests")
                values = {**dict.fromkeys(self._names_in_prompts(), ""), **values}
                lost_here = [
                    *told,
                    *(f"the variable {name}, which is made of others" for name in _made(values)),
                ]
                checks = (*map(untranslated, lost_here), *(check_of(it, values) for it in asserts))
                yield PromptfooTest(name=taken[-1], values=values, checks=checks)

    def _names_in_prompts(self) -> set[str]:
        """What prompts put in; there a variable that a test does not have is empty."""
        texts = [text for _, texts, _ in self._prompts for text in texts.values()]
        return {name for text in texts for name in _TAG_NAME.findall(text)}


def _made(values: Mapping[str, Any]) -> Iterator[str]:
    """The variables whose values promptfoo would make of templates and files."""
    for name, value in values.items():
        text = str(value)
        if has_template(text) or "file://" in text:
            yield name


def _list(holder: Mapping[str, Any], key: str) -> list[Any]:
    value = holder.get(key)
    return value if isinstance(value, list) else [value] if value else []


def _table(holder: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    return dict(value) if isinstance(value, Mapping) else {}


def _combinations(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each combination of the variables that are lists."""
    options = [held if isinstance(held, list) else [held] for held in values.values()]
    for chosen in itertools.islice(itertools.product(*options), _MOST_CASES + 1):
        yield dict(zip(values, chosen, strict=True))


def _keys_of(names: list[str]) -> dict[str, str]:
    """The key of a case for each variable: ``name``, ``backend`` and ``model`` mean something else there."""
    found: dict[str, str] = {}
    for name in names:
        key = re.sub(r"\W", "_", name)
        if (
            not re.match(r"[A-Za-z_]", key)
            or key in ("name", "backend", "model")
            or key.startswith("expected_")
        ):
            key = f"var_{key}"
        while key in found.values():
            key += "_"
        found[name] = key
    return found


def _chat(text: str) -> dict[str, str]:
    """The prompt, and the system prompt if the text is a list of such messages."""
    try:
        messages = json.loads(text) if text.lstrip().startswith("[") else None
    except ValueError:
        messages = None
    match messages:
        case [{"role": "system", "content": str(system)}, {"role": "user", "content": str(asked)}]:
            return {"system": system, "prompt": asked}
        case [{"role": "user", "content": str(asked)}]:
            return {"prompt": asked}
    return {"prompt": text}
