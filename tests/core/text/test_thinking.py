"""What a model thought is no part of its answer, and what is not certain is an error."""

from __future__ import annotations

import pytest

from pytest_lok.core.text.thinking import MAX_TAGS, without_thoughts
from pytest_lok.errors import OutputError


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("yes", "yes"),
        (" yes\n", " yes\n"),
        ("<think>no?</think>yes", "yes"),
        ("\n <think>\nno?\n</think>\n\nyes\n", "yes"),
        ("\ufeff<think>no?</think>yes", "yes"),
        ("<THINKING>no?</Thinking >yes", "yes"),
        ('<think lang="en" depth=3>no?</think>yes', "yes"),
        ("<reasoning>no?</reasoning>yes", "yes"),
        ("<thought>no?</thought>yes", "yes"),
        ("<reflection>no?</reflection>yes", "yes"),
        ("<scratchpad>no?</scratchpad>yes", "yes"),
        ("<thinking>no?</thinking>yes", "yes"),
        ("<seed:think>no?</seed:think>yes", "yes"),
        ("[THINK]no?[/THINK]yes", "yes"),
        ("◁think▷no?◁/think▷yes", "yes"),
        (
            "<|channel|>analysis<|message|>no?<|end|><|start|>assistant<|channel|>final<|message|>yes",
            "yes",
        ),
        ("<think>a<think>b</think>c</think>yes", "yes"),
        ("<thinking><think>b</think></thinking>yes", "yes"),
        ("<think>a</think><think>b</think>yes", "yes"),
        ("<think>a</think>\n\n<think>b</think>\nyes", "yes"),
        ("<think></think>yes", "yes"),
        # the opening tag stood in the prompt
        ("no? yes? no!\n</think>\n\nyes", "yes"),
        ('Draft: {"v": "yes"}. Wait.</think>{"v": "no"}', '{"v": "no"}'),
        ('Wait. </think> {"v": "no"}', '{"v": "no"}'),
        ("</think>yes", "yes"),
        ("let me see, no</think>yes", "yes"),
        ("a</think><think>b</think>yes", "yes"),
        ("Like so:\n```\nx\n</think>\n```json\n[1]\n```", "```json\n[1]\n```"),
        ("<think>\n```\nx</think>\n```json\n[1]\n```", "```json\n[1]\n```"),
        # between parts of an answer
        ("First.\n<think>hm</think>\nSecond.", "First.\n\nSecond."),
        # a quotation is none
        ('{"title": "<think> in a prompt"}', '{"title": "<think> in a prompt"}'),
        ('{"title": "x</think>y"}', '{"title": "x</think>y"}'),
        ('```json\n[{"a": "<think>"}, "</think>"]\n```', '```json\n[{"a": "<think>"}, "</think>"]\n```'),
        ('{"a": "</think>"}\n{"a": "<think>"}', '{"a": "</think>"}\n{"a": "<think>"}'),
        ('<think>x</think>{"a": "</think>"}', '{"a": "</think>"}'),
        ("Line 3 never closes its `<think>`.", "Line 3 never closes its `<think>`."),
        ("`a <think>b` is a tag", "`a <think>b` is a tag"),
        ('The `<think>` tag opens.\n\n{"a": 1}', 'The `<think>` tag opens.\n\n{"a": 1}'),
        ("`<think>` is not closed.\n\nBad.", "`<think>` is not closed.\n\nBad."),
        ("The ``<think>`` tag, ``a `</think>``: bad", "The ``<think>`` tag, ``a `</think>``: bad"),
        ("a `` and `</think>` and `` b", "a `` and `</think>` and `` b"),
        ("`a``b` `</think>`", "`a``b` `</think>`"),
        ("- `<think>`\n- `</think>`\nBad.", "- `<think>`\n- `</think>`\nBad."),
        ("<think>`<think>` is a tag</think>yes", "yes"),
        ('it says "</think>" there', 'it says "</think>" there'),
        ("it says '</think>' and “<think>”", "it says '</think>' and “<think>”"),
        ("So:\n```\n<think>\n```\nBad.", "So:\n```\n<think>\n```\nBad."),
        ("So:\n~~~xml\n<think>a</think>\n~~~\nBad.", "So:\n~~~xml\n<think>a</think>\n~~~\nBad."),
        # what only looks like one
        ("<thinker>a</thinker>", "<thinker>a</thinker>"),
        ("<think/> and < think > and <|think|>", "<think/> and < think > and <|think|>"),
    ],
)
def test_the_answer(text: str, answer: str) -> None:
    assert without_thoughts(text) == answer


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<think>yes, that is fine", "ends within its thoughts"),
        ("`a``b`</think>`c``d`", "unclear"),
        ("```\nx\n````a`</think>`b`", "unclear"),
        ("<think>a<think>b</think>yes", "ends within its thoughts"),
        ('Yes.\n<think>no, {"v": "yes"}', "ends within its thoughts"),
        ("<think>yes</think>", "no answer after them"),
        ("yes</think>\n ", "no answer after them"),
        ("Line 3 opens <think> and blocks </think> what follows", "unclear at <think>"),
        ("BLOCK: line 3 emits </think> and more", "unclear at </think>"),
        ("BLOCK: see (</think>) here", "unclear at </think>"),
        ("<think>a</think>BLOCK\n</think>\nfine", "unclear at </think>"),
        ("fine</think>BLOCK</think>fine", "unclear at </think>"),
        ("So:\n```\nx = 1\n</think>\n```\nBLOCK </think> x", "unclear at </think>"),
        ("`a`</think>`b`", "unclear at </think>"),
        ("``a``</think>``b``", "unclear at </think>"),
        ("```\n<think>\n```\nBLOCK\n```\n</think>\n```\nfine", "unclear at </think>"),
        ("The `<think>` tag.\n<think>yes", "ends within its thoughts"),
        ("</think>```\nx\n```<think>```\nx\n```", "unclear at <think>"),
        ("```\nx\n```<think>```\nx\n```", "unclear at <think>"),
        ("</think>```\nx\n```\n<think>```\nx\n```", "ends within its thoughts"),
        ('say "a"</think>"b"', "unclear at </think>"),
        ("<think>" * (MAX_TAGS + 1), "more than 1,000 tags"),
    ],
)
def test_no_answer_is_made_of_what_is_unclear(text: str, why: str) -> None:
    with pytest.raises(OutputError, match=why):
        without_thoughts(text)


@pytest.mark.timeout(60)  # a hang guard: each is a few looks through the text
@pytest.mark.parametrize(
    "text",
    [
        "<think>" + '{"a' * 300_000,
        "<think>" + "{x " * 300_000,
        "<think>" + "[1," * 300_000,
        "x </think> " * 900 + "`" * 300_000,
        "```\n" * 300_000 + "<think>",
        "<think " * 300_000,
        "<|end|> " * 300_000 + "<think>",
        "<|channel|>analysis" * 300_000 + "<think>",
    ],
    ids=range(8),
)
def test_hostile_text_does_not_take_long(text: str) -> None:
    try:
        assert without_thoughts(text)
    except OutputError:
        assert "think>" in text
