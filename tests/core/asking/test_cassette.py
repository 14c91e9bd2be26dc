"""Recordings as a file people review: the same whatever the order, exact, and with the nearest one found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.asking.cassette import Question, Recording, canonical_schema, difference, dumps, loads

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"""\\\n\r\t\x7f\u202e'))
QUESTIONS = st.builds(
    Question,
    prompt=TEXT,
    backend=TEXT.filter(bool),
    system=TEXT,
    model=TEXT,
    schema=TEXT,
    sample=st.integers(0, 9),
)
RECORDINGS = st.lists(
    st.builds(Recording, question=QUESTIONS, text=TEXT, model=TEXT), unique_by=lambda it: it.question
)

ASKED = Question(backend="claude", prompt='Say "yes".\nOr """no""".', system="Be brief.")


@given(RECORDINGS)
def test_a_file_says_exactly_what_was_recorded(recordings: list[Recording]) -> None:
    text = dumps(recordings)
    assert {it.question: it for it in loads(text)} == {it.question: it for it in recordings}
    assert dumps(reversed(recordings)) == text
    assert dumps(loads(text)) == text


def test_it_can_be_read_like_code() -> None:
    answer = '{"verdict": "yes"}\n'
    first = Recording(question=ASKED, text=answer, model="m-1")
    second = Recording(question=replace(ASKED, prompt="b", sample=1, system="", schema="{}"), text="")
    assert dumps([second, first]) == (
        "# What a step asked and was answered. Written by recording; read instead of asking. Review it like code.\n"
        "\n"
        "[[recordings]]\n"
        'backend = "claude"\n'
        'prompt = """\n'
        'Say "yes".\n'
        'Or \\"""no\\"""."""\n'
        'system = "Be brief."\n'
        "\n"
        "[recordings.answer]\n"
        'model = "m-1"\n'
        'text = """\n'
        '{"verdict": "yes"}\n'
        '"""\n'
        "\n"
        "[[recordings]]\n"
        'backend = "claude"\n'
        'prompt = "b"\n'
        "sample = 1\n"
        'schema = "{}"\n'
        "\n"
        "[recordings.answer]\n"
        'text = ""\n'
    )


def test_nothing_is_hidden_from_who_reads_it() -> None:
    text = dumps([Recording(question=ASKED, text="a\x1b[8mb\u202ec\u200bd\r\ne ü 日本")])
    assert "a\\u001b[8mb\\u202ec\\u200bd\\u000d\ne ü 日本" in text


def test_half_a_character_is_no_text() -> None:
    (found,) = loads(dumps([Recording(question=ASKED, text="a\ud800b")]))
    assert found.text == "a?b"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = ", "Invalid value"),
        ("<<<<<<< HEAD\n", "line 1"),
        ("x = 1", "unknown: x"),
        ("recordings = 1", "no array"),
        ("recordings = [1]", "recording 1 has no answer.text"),
        ("[[recordings]]\nprompt = 'x'\nbackend = 'b'", "recording 1 has no answer.text"),
        ("[[recordings]]\nprompt = 'x'\n[recordings.answer]\ntext = ''", "lacks its backend"),
        ("[[recordings]]\nprompt = 'x'\nbackend = 'b'\n[recordings.answer]\ntext = ''\nmodel = 1", "model"),
        ("[[recordings]]\npromt = 'x'\n[recordings.answer]\ntext = ''", "`promt` is unknown"),
        ("[[recordings]]\nsample = true\n[recordings.answer]\ntext = ''", "`sample` is unknown, or of the wrong type"),
    ],
)  # fmt: skip
def test_a_broken_file_says_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        loads(text)


def recorded(*questions: Question) -> list[Recording]:
    return [Recording(question=question, text="x") for question in questions]


def test_the_nearest_is_shown_as_a_diff() -> None:
    near = replace(ASKED, prompt="Review this:\n+ one\n+ two\n+ three")
    far = replace(ASKED, prompt="Something else\nentirely")
    asked = replace(near, prompt="Review this:\n+ one\n+ 2\n+ three")
    shown = difference(asked, recorded(far, near)).split("\n")
    assert shown[:2] == ["--- recorded", "+++ asked"]
    assert "-+ two" in shown
    assert "++ 2" in shown
    assert not any("Something else" in line for line in shown)


def test_the_diff_shows_every_part_of_the_question() -> None:
    shown = difference(replace(ASKED, model="big", sample=2), recorded(ASKED))
    assert '+model = "big"' in shown
    assert "+sample = 2" in shown


def test_of_equal_ones_the_same_backend_s_is_nearest() -> None:
    others = [replace(ASKED, backend=name) for name in ("aa", "claude", "zz")]
    assert '-backend = "' not in difference(replace(ASKED, system="x"), recorded(*others))


def test_a_diff_is_bounded_and_nothing_is_near_nothing() -> None:
    long = replace(ASKED, prompt="\n".join("x" * 1000 + str(n) for n in range(500)))
    shown = difference(long, recorded(ASKED)).split("\n")
    assert len(shown) == 41
    assert "more lines" in shown[-1]
    assert max(map(len, shown)) < 210
    assert difference(ASKED, []) == ""


def test_huge_texts_that_share_nothing_are_compared_soon() -> None:
    huge = [replace(ASKED, prompt="\n".join(f"{n % 7} {word}" for n in range(100_000))) for word in "ab"]
    assert difference(huge[0], recorded(*([huge[1]] * 50))).startswith("--- recorded")
    same = replace(ASKED, prompt=huge[0].prompt + "\nand more")
    assert difference(same, recorded(huge[0])) == "they differ after line 5,000"


def test_a_schema_is_the_same_in_any_order() -> None:
    assert canonical_schema({"b": 1, "a": {"d": 2, "c": 3}}) == canonical_schema(
        {"a": {"c": 3, "d": 2}, "b": 1}
    )
    assert canonical_schema(None) == ""
