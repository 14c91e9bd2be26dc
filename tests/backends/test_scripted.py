from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lok.backends.scripted import Scripted, ScriptedReply
from pytest_lok.core.results import Usage
from pytest_lok.errors import BackendError, BackendFault, UsageError
from tests.backends.asking import ask, expect_error


def test_one_text_for_every_prompt() -> None:
    claude = Scripted("claude", "always this", model="m1")
    reply = ask(claude, "anything")
    assert (reply.text, reply.backend, reply.model) == ("always this", "claude", "m1")
    assert claude.unavailable() is None


def test_a_table_answers_by_a_part_of_the_prompt() -> None:
    claude = Scripted("claude", {"security": "unsafe", "style": "ugly"})
    assert ask(claude, "check the style").text == "ugly"
    assert ask(claude, "security and style").text == "unsafe"


def test_the_first_rule_that_applies_answers() -> None:
    claude = Scripted(
        "claude",
        [
            ScriptedReply(match="both", regex=r"\d", reply="both and a digit"),
            ScriptedReply(regex=r"^\d+$", reply="a number"),
            ScriptedReply(reply="something else"),
        ],
    )
    assert ask(claude, "both 1").text == "both and a digit"
    assert ask(claude, "12").text == "a number"
    assert ask(claude, "both").text == "something else"


def test_groups_of_the_regex_stand_in_the_reply_and_nothing_else_is_special() -> None:
    rule = ScriptedReply(
        regex=r"fix (?P<file>\S+) line (\d+)(x)?", reply=r"\g<file>:\g<2>\g<3>\g<9> \1 \n {file} \d"
    )
    assert ask(Scripted("x", [rule]), "please fix a.py line 7").text == r"a.py:7\g<9> \1 \n {file} \d"


def test_without_a_regex_the_reply_is_verbatim() -> None:
    assert ask(Scripted("x", r"\g<0>")).text == r"\g<0>"


def test_a_rule_may_be_used_so_many_times() -> None:
    flaky = Scripted(
        "x", [ScriptedReply(error="rate_limit", retry_after=2.0, times=2), ScriptedReply(reply="ok")]
    )
    assert [expect_error(flaky).retry_after, expect_error(flaky).retry_after] == [2.0, 2.0]
    assert ask(flaky).text == "ok"
    assert ask(flaky).text == "ok"


@pytest.mark.parametrize("fault", BackendFault)
def test_every_fault_can_be_played(fault: BackendFault) -> None:
    for name in (fault.name, fault.name.lower(), fault.name.lower().replace("_", " ")):
        with pytest.raises(BackendError) as caught:
            ask(Scripted("x", [ScriptedReply(error=name, reply="the reason")]))
        assert (caught.value.kind, caught.value.message) == (fault, "the reason")


def test_an_unknown_fault_or_a_wrong_regex_is_said_at_once() -> None:
    with pytest.raises(UsageError, match="no error 'rate_limited'") as caught:
        ScriptedReply(error="rate_limited")
    assert "rate_limit," in caught.value.hint
    with pytest.raises(UsageError, match="is wrong"):
        ScriptedReply(regex="(")


def test_a_prompt_no_rule_is_for_is_shown() -> None:
    error = expect_error(Scripted("x", {"a": "b"}), "q" * 500)
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "q" * 199 + "…" in error.message
    assert "q" * 200 not in error.message
    assert "[[backends.x.replies]]" in error.hint


def test_the_text_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "reply.json").write_text('{"ü": 1}\n', "utf-8")
    assert ask(Scripted("x", [ScriptedReply(file=tmp_path / "reply.json")])).text == '{"ü": 1}\n'
    error = expect_error(Scripted("x", [ScriptedReply(file=str(tmp_path / "missing"))]))
    assert error.kind is BackendFault.NOT_CONFIGURED
    assert "missing" in error.message


def test_usage_is_estimated_or_given() -> None:
    estimated = ask(Scripted("x", "12345678"), "1234", system="5678").usage
    assert estimated == Usage(calls=1, input_tokens=2, output_tokens=2, cost_usd=0.0)
    given = Usage(calls=1, input_tokens=100, output_tokens=200, cost_usd=0.5)
    assert ask(Scripted("x", [ScriptedReply(reply="y", usage=given)])).usage == given


def test_it_remembers_what_it_was_asked() -> None:
    claude = Scripted("claude", {"a": "b"})
    ask(claude, "a1", system="s", model="m2")
    expect_error(claude, "nothing for this")
    assert [(prompt.text, prompt.system) for prompt in claude.asked] == [
        ("a1", "s"),
        ("nothing for this", ""),
    ]
    assert ask(claude, "a", model="m2").model == "m2"


def test_a_slow_reply_runs_into_the_time_limit() -> None:
    slow = Scripted("x", [ScriptedReply(reply="late", delay=30)])
    assert expect_error(slow, timeout=0.05).kind is BackendFault.TIMEOUT
    assert ask(Scripted("x", [ScriptedReply(reply="late", delay=0.05)])).seconds >= 0.05
