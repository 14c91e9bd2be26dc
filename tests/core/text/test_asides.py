"""Brackets that an answer only speaks of are told from it, and nothing that could be the answer is."""

from __future__ import annotations

import pytest

from pytest_lok.core.results import Json
from pytest_lok.core.text.json_in_prose import find_json, only_quotes_prompt
from pytest_lok.errors import OutputError

BUGS = '{"bugs": ["x"]}'
LIST = '[{"title": "a"}, {"line": 2}]'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"Checked lines [1, 2, 3].\n{BUGS}", BUGS),
        (f"Checked lines: [1, 2.5, -3]\n\n```json\n{BUGS}\n```\nDone.", BUGS),
        (f"- Lines [1]\n1. and [2]\n\n{BUGS}", BUGS),
        (f"A default of [] is shared, (see [1]) `[]` too.\n{BUGS}", BUGS),
        (f"See [1] and [2].\n\n{BUGS}\n\n[1]: https://x.y/z\n[2] The docs", BUGS),
        (f"**Lines** [3]\n{BUGS}\n", BUGS),
        (f"It sets `d = {{}}` and `e = {{'a': f(x)}}` first.\n{BUGS}", BUGS),
        (f"`{{}}` and {{}} are shared.\n{LIST}", LIST),
        (f"`def f(x=[])` is shared.\n```\n{LIST}\n```\n", LIST),
        (f"Like so:\n```python\nd = {{'a': [1]}}\n}}\n```\n```json\n{BUGS}\n```", BUGS),
        (f"  ~~~js\nconst x = {{'a': f(),\n~~~\n{BUGS}", BUGS),
        (f"```json\n{BUGS}\n```\nHow:\n```c++\nint x[] = {{1}};\n```\nBye, {BUGS}.", BUGS),
    ],
)
def test_what_is_only_spoken_of_is_set_aside(text: str, value: str) -> None:
    assert find_json(text) == find_json(value)


@pytest.mark.parametrize(
    "text",
    [
        # what could be the answer: of its kind
        f"I say {{}}. It wants\n{BUGS}",
        f"I say `{{}}`. It wants\n{BUGS}",
        f"There are none: []. It wants\n{LIST}",
        f"`[]` is what I say. It wants\n{LIST}",
        f"In lines [1, 2]. It wants\n{LIST}",
        # a part of something
        f"bugs: []\nIt wants\n{BUGS}",
        f"bugs = []\nIt wants\n{BUGS}",
        f"d = {{}}\n{LIST}",
        f"- [1]\n- [2]\n{BUGS}",
        f"f([1])\n{BUGS}",
        f"{{bugs: [1]}}\n{BUGS}",
        f"{{\nbugs: [1]\n{BUGS}",
        f"[found in [1] there]\n{BUGS}",
        f"it says '[1]', and\n{BUGS}",
        f"> [1]\n{BUGS}",
        f"<bugs> [1] </bugs>\n{BUGS}",
        # on lines of its own
        f"[1, 2]\nIt wants\n{BUGS}",
        f"[]\nIt wants\n{BUGS}",
        f'{{"bugs": []}}\nIt wants\n{BUGS}',
        f'{{"note": 1}}\nIt wants\n{BUGS}',
        # code that says it, or that is a value as a whole
        f"I say `x = {{'bugs': []}}`. It wants\n{BUGS}",
        f"I say `final_bugs += []`. It wants\n{BUGS}",
        f'I say `{{"note": 1}}`. It wants\n{BUGS}',
        f"I say `[sql, xss]`. It wants\n{BUGS}",
        f"```python\nbugs = []\n```\nIt wants\n{BUGS}",
        f"```python\n{{'note': []}}\n```\nIt wants\n{BUGS}",
        f"```python\n'[]'\n```\nIt wants\n{BUGS}",
        f"```yaml\nfound: []\n```\nIt wants\n{BUGS}",
        f"```\nx = []\n```\nIt wants\n{BUGS}",
        f"````md\n```python\nx = []\n```\n````\nIt wants\n{BUGS}",
        f"```python\nx = []\nIt wants\n{BUGS}",
        # where there is no answer left, or no plain one
        "Lines [1, 2] and [3].",
        "Lines [1, 2].\n[]",
        "Lines [1, 2].\n{}",
        'Lines [1, 2].\n["x"]',
        'Lines [1, 2].\n[{"a": 1}, {}]',
        'Lines [1, 2].\n{"?": 1}',
        f"Lines [1, 2]: {BUGS}",
        f"Lines [1, 2].\n```json\nfor example\n{BUGS}\n```",
        f"Lines [1, 2].\n<notes>\n{BUGS}\n</notes>",
        f'Lines [1, 2].\n{BUGS[:-1]}, "bugs": []}}',
        # an odd backtick
        f"A ` and `d = [] and\n{BUGS}",
    ],
)
def test_what_could_be_the_answer_stays(text: str) -> None:
    with pytest.raises(OutputError):
        find_json(text)


MATERIAL = '+ {"name": "lok", "deps": [1]}\n+ {"bugs": []}\n'
QUOTED = '{"name": "lok", "deps": [1]}'


@pytest.mark.parametrize(
    "text",
    [
        f"The change adds {QUOTED} alone.\n{BUGS}",
        f"The change adds:\n```json\n{QUOTED}\n```\nMy answer:\n```json\n{BUGS}\n```\n",
        f"The change adds `{QUOTED}`.\n\n{BUGS}",
    ],
)
def test_a_quotation_of_another_form_is_set_aside(text: str) -> None:
    value: Json = {"bugs": ["x"]}
    assert find_json(text, MATERIAL) == value
    with pytest.raises(OutputError):
        find_json(text, "Review it.")
    with pytest.raises(OutputError):
        find_json(text, f"{MATERIAL}\n{BUGS}")
    with pytest.raises(OutputError):
        find_json(
            text.replace('"name"', '"n\\u0061me"').replace("lok", "bugs"), MATERIAL.replace("lok", "bugs")
        )


def test_a_quotation_of_the_form_of_the_answer_is_not_set_aside() -> None:
    with pytest.raises(OutputError, match="2 JSON values"):
        find_json(f'I say {{"bugs": []}}. It wants\n{BUGS}', MATERIAL)


def test_what_is_left_may_be_a_quotation_too() -> None:
    text = 'Lines [1, 2].\n{"bugs": []}'
    with pytest.raises(OutputError, match="stands in the prompt too"):
        find_json(text, MATERIAL)
    assert only_quotes_prompt(text, MATERIAL)
    assert find_json(text) == {"bugs": []}


@pytest.mark.timeout(60)  # a hang guard: each is a few looks through the text
@pytest.mark.parametrize(
    "text",
    [
        "x [] " * 90_000,
        "`[]` " * 90_000,
        '["\n' * 90_000,
        "```py\n[\n```\n" * 60_000 + "]",
        "~~~py\n```\n" * 90_000 + "]",
        '{"b": 1}\n' * 30_000,
        "x {} " * 30_000,
    ],
    ids=range(7),
)
def test_hostile_text_does_not_take_long(text: str) -> None:
    with pytest.raises(OutputError):
        find_json(f"{text}\n[1]\n{BUGS}", MATERIAL)
