from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.answers.consensus import ParsedReply, ballot, normalized_vote, synthesis_prompt, vote
from pytest_lok.core.results import Json, Reply, Verdict
from pytest_lok.core.workflow.model import Quorum, Strategy, needed_replies
from pytest_lok.errors import OutputError, StepFailedError


def answer(backend: str, text: str = "", data: Json = None) -> ParsedReply:
    return ParsedReply(reply=Reply(text=text, backend=backend), data=data, has_data=data is not None)


def poll(
    said: dict[str, str],
    *,
    configured: int = 0,
    quorum: Quorum | None = None,
    weights: dict[str, float] | None = None,
) -> Verdict:
    """A vote of the backends in ``said`` and ``configured`` silent ones."""
    ballots = [(normalized_vote(text), answer(name, text)) for name, text in said.items()]
    everybody = [*said, *(f"silent{i}" for i in range(configured - len(said)))]
    strategy = Strategy.WEIGHTED_VOTE if weights else Strategy.VOTE
    known = {name: (weights or {}).get(name, 1.0) for name in everybody}
    return vote(ballots, strategy=strategy, quorum=quorum, weights=known)


@pytest.mark.parametrize(
    ("quorum", "strategy", "configured", "expected"),
    [
        (None, Strategy.FIRST, 3, 1),
        (None, Strategy.SYNTHESIS, 3, 1),
        (None, Strategy.VOTE, 3, 2),
        (None, Strategy.VOTE, 4, 3),
        (None, Strategy.WEIGHTED_VOTE, 2, 2),
        ("majority", Strategy.SYNTHESIS, 5, 3),
        ("all", Strategy.VOTE, 3, 3),
        (2, Strategy.FIRST, 3, 2),
    ],
)
def test_the_quorum_counts_configured_backends(
    quorum: Quorum | None, strategy: Strategy, configured: int, expected: int
) -> None:
    assert needed_replies(quorum, strategy, configured) == expected


def test_a_majority_wins_and_dissent_is_kept() -> None:
    verdict = poll({"claude": "Yes.", "codex": "no", "gemini": " **yes** "})
    assert (verdict.backend, verdict.text) == ("claude", "Yes.")
    assert verdict.tally == {"yes": 2.0, "no": 1.0}
    assert verdict.dissent == ("codex: no",)


@pytest.mark.parametrize("quorum", [1, None, "majority"])
def test_a_tie_is_not_agreement(quorum: Quorum | None) -> None:
    with pytest.raises(StepFailedError, match="a tie is not agreement"):
        poll({"a": "yes", "b": "no"}, quorum=quorum)


def test_a_backend_that_is_silent_counts_against_agreement() -> None:
    assert poll({"a": "yes", "b": "yes"}, configured=3).backend == "a"
    with pytest.raises(StepFailedError, match="a majority of 4 must agree"):
        poll({"a": "yes", "b": "yes"}, configured=4)


def test_all_means_all() -> None:
    with pytest.raises(StepFailedError, match="all 3 must agree"):
        poll({"a": "yes", "b": "yes", "c": "no"}, quorum="all")


def test_weights_decide_a_weighted_vote() -> None:
    verdict = poll({"a": "yes", "b": "no", "c": "no"}, weights={"a": 3.0})
    assert verdict.text == "yes"
    with pytest.raises(StepFailedError):
        poll({"a": "yes", "b": "no", "c": "perhaps"}, weights={"a": 1.5})


def test_a_number_as_quorum_of_a_weighted_vote_counts_backends() -> None:
    with pytest.raises(StepFailedError):
        poll({"a": "yes", "b": "no", "c": "no"}, weights={"a": 3.0}, quorum=2)


def test_a_ballot_is_a_field_the_json_or_the_text() -> None:
    assert ballot(answer("a", "x", {"verdict": "PASS", "why": "1"}), "verdict") == "pass"
    assert ballot(answer("a", "x", {"b": [1, 2], "a": 1}), "") == '{"a":1,"b":[1,2]}'
    assert ballot(answer("a", "  Yes. "), "") == "yes"
    with pytest.raises(OutputError, match="no field 'verdict'"):
        ballot(answer("a", "x", {"other": 1}), "verdict")


def test_a_synthesis_shows_the_task_and_every_answer_once() -> None:
    text = synthesis_prompt("Is it safe?", [Reply(text="yes", backend="a"), Reply(text="no", backend="b")])
    assert text.index("Is it safe?") < text.index("\n\nyes") < text.index("\n\nno")


@given(
    st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from(["yes", "no", "?"]), min_size=1),
    st.integers(0, 3),
    st.sampled_from([None, "all", 1, 2, 3]),
)
def test_losing_a_backend_never_makes_agreement(
    said: dict[str, str], silent: int, quorum: Quorum | None
) -> None:
    """What the others agree on without one backend, they agree on with its consent."""
    lost = sorted(said)[0]
    fewer = {name: text for name, text in said.items() if name != lost}
    configured = len(said) + silent
    if not fewer:
        return
    try:
        verdict = poll(fewer, configured=configured, quorum=quorum)
    except StepFailedError:
        return
    with_it = poll({**fewer, lost: verdict.text}, configured=configured, quorum=quorum)
    assert normalized_vote(with_it.text) == normalized_vote(verdict.text)
