"""The verbs that run a workflow which they write: smart, team, debate, spawn, conduct."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from tests.cli.projects import Project

Reply = tuple[str, str | Mapping[str, object] | Sequence[object]]

VERBS = (
    ("smart", "Find N+1 queries"),
    ("team", "Analyze this codebase for issues"),
    ("team", "--debate", "Should we use async here?"),
    ("debate", "What's the best way to handle auth?"),
    ("spawn", "Build a todo app with frontend and backend"),
    ("spawn", "task", "--agent", "api:Build REST endpoints", "--agent", "ui:Build React components"),
    ("conduct", "Find and fix the most impactful performance issues"),
)


def backends(project: Project, **replies: Sequence[Reply]) -> None:
    """lok.toml with these scripted backends alone; each reply has the text that its prompt holds."""
    off = "".join(f"[backends.{name}]\nenabled = false\n" for name in ("claude", "codex", "gemini", "ollama"))
    tables = [off]
    for name, rules in replies.items():
        tables.append(f'[backends.{name}]\ntype = "scripted"\nstrengths = ["general"]\n')
        for match, said in rules:
            text = said if isinstance(said, str) else json.dumps(said)
            key = "error" if text in ("auth", "overload") else "reply"
            tables.append(
                f"[[backends.{name}.replies]]\nmatch = {json.dumps(match)}\n{key} = {json.dumps(text)}\n"
            )
    project.write("lok.toml", "".join(tables))


def answers(**fields: object) -> Mapping[str, object]:
    return fields


def debater(first: str, later: str, *, agrees: bool, still_open: str = "") -> list[Reply]:
    return [
        ("have debated", "the conclusion"),
        ("Your last position was", answers(position=later, agrees=agrees, open=still_open)),
        ("takes part in a debate", answers(position=first)),
    ]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_each_prints_the_workflow_it_would_run(project: Project, words: tuple[str, ...]) -> None:
    backends(project, ann=[("", "auth")], bob=[("", "auth")])
    shown = project.lok(*words, "--toml")
    assert shown.code == 0
    stem = words[0]
    project.workflow(stem, shown.out)
    assert project.lok("workflow", "validate", stem).code == 0


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_nobody_answering_is_never_a_success(project: Project, words: tuple[str, ...]) -> None:
    backends(project, ann=[("", "auth")], bob=[("", "auth")])
    done = project.lok(*words)
    assert done.code == 3
    assert "told to fail" in done.err
    document = project.lok(*words, "--json").document
    assert document["exit_code"] == 3


def test_smart_asks_the_next_one_where_the_best_gives_no_answer(project: Project) -> None:
    backends(project, ann=[("", "auth")], bob=[("", "{{ bob }}")])
    done = project.lok("smart", "find", "slow", "{{ queries }}")
    assert (done.code, done.out) == (0, "{{ bob }}\n")
    reply = project.lok("smart", "x", "--json").document["steps"]["answer"]
    assert [refusal["backend"] for refusal in reply["refusals"]] == ["ann"]


class TestTeam:
    def test_somebody_else_gives_the_second_opinion(self, project: Project) -> None:
        backends(
            project,
            ann=[("second opinion", "auth"), ("", "ann's answer {{ x }}")],
            bob=[("second opinion", answers(agrees=False, opinion="it leaks")), ("", "bob's answer")],
        )
        done = project.lok("team", "--debate", "Is it safe?")
        assert done.code == 0
        assert "## Answer by ann\n\nann's answer {{ x }}" in done.out
        assert "## Second opinion: bob does not agree\n\nit leaks" in done.out
        turned = project.lok("team", "--debate", "Is it safe?", "-b", "bob,ann")
        assert turned.code == 3
        assert "## Answer by bob" in turned.out
        assert "## Second opinion\n\nThere is none: ann was told to fail" in turned.out

    def test_one_alone_gives_no_second_opinion(self, project: Project) -> None:
        backends(project, ann=[("", "yes")])
        done = project.lok("team", "--debate", "Is it safe?")
        assert (done.code, done.out) == (2, "")
        assert "needs a second backend, and only ann is there" in done.err
        assert project.lok("team", "Is it safe?").out == "## Answer by ann\n\nyes\n"


class TestDebate:
    def test_it_ends_in_the_round_in_which_all_agree(self, project: Project) -> None:
        backends(project, ann=debater("a1", "a2", agrees=True), bob=debater("b1", "b2", agrees=True))
        done = project.lok("debate", "Use {{ async }}?", "-o", project.root / "transcript.md")
        assert (done.code, done.out) == (0, "")
        text = (project.root / "transcript.md").read_text()
        assert text.startswith("# Use {{ async }}?\n\n**Agreement in round 2.**")
        assert "### ann\n\na1" in text
        assert "## Conclusion\n\nthe conclusion" in text
        assert "Round 3" not in text
        asked = project.lok("debate", "Use async?", "--json").document["usage"]["calls"]
        assert asked == 5

    def test_a_word_is_no_agreement(self, project: Project) -> None:
        """Only the field says so: the text may hold "agree", "disagree" and "attribute" as it likes."""
        ann = debater("I agree", "I agree with all of it", agrees=False, still_open="caching")
        backends(project, ann=ann, bob=debater("b1", "but I disagree", agrees=True))
        done = project.lok("debate", "Which?", "--rounds", "3")
        assert done.code == 0
        assert "**No agreement in 3 rounds.**" in done.out
        assert "Does not agree: caching" in done.out

    def test_everybody_sees_the_others_and_their_own_last_position(self, project: Project) -> None:
        ann = [
            ("Your last position was:\na2", answers(position="a3", agrees=False, open="x")),
            *debater("a1", "a2", agrees=False, still_open="x"),
        ]
        bob = [
            ("The position of ann:\na2", answers(position="b3", agrees=False, open="y")),
            *debater("b1", "b2", agrees=False, still_open="y"),
        ]
        backends(project, ann=ann, bob=bob)
        done = project.lok("debate", "Which?")
        assert [line for line in done.out.splitlines() if line in ("a3", "b3")] == ["a3", "b3"]

    def test_who_is_missing_is_said_and_leaves_the_others_to_it(self, project: Project) -> None:
        both = {"ann": debater("a1", "a2", agrees=True), "bob": debater("b1", "b2", agrees=True)}
        backends(project, **both, cy=[("", "auth")])
        done = project.lok("debate", "Which?")
        assert done.code == 0
        assert "### cy\n\nMissing: cy was told to fail" in done.out
        assert "**Agreement in round 2.**" in done.out

    @pytest.mark.parametrize(
        ("still_open", "agreed"),
        [("", True), (" \n", True), ("the cost", False), ("none", False), ("[]", False)],
    )
    def test_who_leaves_a_point_open_does_not_agree(
        self, project: Project, still_open: str, agreed: bool
    ) -> None:
        """The workflow ends its rounds, and the transcript tells of agreement, by one rule."""
        ann = debater("a1", "a2", agrees=True, still_open=still_open)
        backends(project, ann=ann, bob=debater("b1", "b2", agrees=True))
        done = project.lok("debate", "Which?")
        assert done.code == 0, done.err
        assert ("**Agreement in round 2.**" in done.out, "Round 3" not in done.out) == (agreed, agreed)
        assert (f"Says that they agree, and leaves open: {still_open}" in done.out) is not agreed

    def test_the_first_round_agrees_with_nobody(self, project: Project) -> None:
        early: Reply = ("takes part in a debate", answers(position="a1", agrees=True, open=""))
        backends(project, ann=[("have debated", "c"), early], bob=debater("b1", "b2", agrees=True))
        done = project.lok("debate", "Which?", "--rounds", "1")
        assert (done.code, "grees." in done.out) == (0, False)

    def test_a_debate_that_one_alone_ends_is_none(self, project: Project) -> None:
        bob: list[Reply] = [("Your last position was", "auth"), *debater("b1", "b2", agrees=True)]
        backends(project, ann=debater("a1", "a2", agrees=False, still_open="x"), bob=bob)
        for rounds in ("2", "4"):
            done = project.lok("debate", "Which?", "--rounds", rounds)
            assert done.code == 3
            assert "**The debate broke off in round 2: fewer than two answered.**" in done.out
            assert "fewer than two debaters gave a valid answer" in done.err
            assert "the conclusion" not in done.out

    def test_one_alone_is_no_debate(self, project: Project) -> None:
        backends(project, ann=debater("a1", "a2", agrees=True))
        assert project.lok("debate", "Which?").code == 2
        backends(project, ann=debater("a1", "a2", agrees=True), bob=[("", "auth")])
        done = project.lok("debate", "Which?")
        assert done.code == 3
        assert "**No debate: fewer than two stated a position.**" in done.out
        assert "Agreement" not in done.out

    def test_the_conclusion_is_written_by_whoever_is_left(self, project: Project) -> None:
        ann = [("have debated", "auth"), *debater("a1", "a2", agrees=True)]
        backends(project, ann=ann, bob=debater("b1", "b2", agrees=True))
        done = project.lok("debate", "Which?")
        assert (done.code, "## Conclusion\n\nthe conclusion" in done.out) == (0, True)


class TestSpawn:
    PLAN = ({"name": "api", "task": "the API"}, {"name": "ui", "task": "the UI"})

    def test_a_plan_an_agent_for_each_part_and_a_summary(self, project: Project) -> None:
        ann: list[Reply] = [
            ("Part this task", self.PLAN),
            ("Your part, as api", "api done"),
            ("Your part, as ui", "ui done"),
            ("Sum up", "all done"),
        ]
        backends(project, ann=ann)
        done = project.lok("spawn", "Build it")
        assert done.code == 0
        assert done.out == "## api\n\napi done\n\n## ui\n\nui done\n\n## Summary\n\nall done\n"

    def test_a_failed_agent_is_said_and_is_no_success(self, project: Project) -> None:
        planned: list[Reply] = [
            ("Part this task", self.PLAN),
            ("Your part, as api", "api done"),
            ("Your part, as ui", "auth"),
            ("Sum up", "half done"),
        ]
        backends(project, ann=planned)
        for words in ((), ("-a", "api:x", "-a", "ui:y")):
            done = project.lok("spawn", "Build it", *words)
            assert done.code == 3, words
            assert "api done" in done.out
            assert "Failed: ann was told to fail" in done.out
            assert "## Summary\n\nhalf done" in done.out

    @pytest.mark.parametrize("plan", [True, False])
    def test_nothing_is_summed_up_where_nobody_did_anything(self, project: Project, plan: bool) -> None:
        planned: Sequence[Reply] = [("Part this task", self.PLAN if plan else "auth")]
        backends(project, ann=[*planned, ("Your part", "auth"), ("Sum up", "all done")])
        done = project.lok("spawn", "Build it")
        assert (done.code, "all done" in done.out) == (3, False)

    def test_agents_that_are_named_get_their_task_as_it_is(self, project: Project) -> None:
        ann: list[Reply] = [
            ("Build {{ REST }} {% endraw %}", "api done"),
            ("Sum up", "sum"),
        ]
        backends(project, ann=ann)
        done = project.lok("spawn", "task", "--agent", "api: Build {{ REST }} {% endraw %}")
        assert (done.code, done.out.startswith("## api (ann)\n\napi done")) == (0, True)

    @pytest.mark.parametrize("agent", ["api", "api:", ":task", "a b:task", "../x:task"])
    def test_an_agent_that_is_not_one_is_refused(self, project: Project, agent: str) -> None:
        backends(project, ann=[("", "x")])
        done = project.lok("spawn", "task", "-a", agent)
        assert (done.code, done.out) == (2, "")
        assert "NAME:TASK" in done.err
        assert project.lok("spawn", "task", "-a", "a:x", "-a", "a:y").code == 2


class TestConduct:
    ASKS: Reply = ("Either ask, or answer", answers(answer="", ask_bob=["what is slow?"], ask_cy=[]))

    def test_a_key_of_lok_s_without_effect_is_told(self, project: Project) -> None:
        backends(project, ann=[("", "auth")], bob=[("", "auth")])
        file = project.root / "lok.toml"
        file.write_text(f"{file.read_text()}[conductor]\nmax_rounds = 2\nmax_tokens = 4096\n")
        assert "`max_tokens` of [conductor] has no effect" in project.lok("conduct", "x", "--toml").err

    def test_questions_go_out_and_the_answer_comes_back(self, project: Project) -> None:
        ann: list[Reply] = [
            ("the database", answers(answer="add an index", ask_bob=[], ask_cy=[])),
            self.ASKS,
        ]
        backends(project, ann=ann, bob=[("what is slow?", "the database")], cy=[("", "auth")])
        done = project.lok("conduct", "Make it fast")
        assert (done.code, done.out) == (0, "add an index\n")
        told = project.lok("conduct", "Make it fast", "-v")
        assert "### Round 1, to bob: what is slow?\n\nthe database" in told.out
        assert "## Answer\n\nadd an index" in told.out

    def test_at_the_limit_what_was_found_is_put_together(self, project: Project) -> None:
        ann: list[Reply] = [("No round is left", "the database, it seems"), self.ASKS]
        backends(project, ann=ann, bob=[("", "the database")], cy=[("", "auth")])
        done = project.lok("conduct", "Make it fast", "--rounds", "2")
        assert (done.code, done.out) == (0, "the database, it seems\n")
        document = project.lok("conduct", "Make it fast", "--rounds", "2", "--json").document
        assert document["usage"]["calls"] == 5
        project.write("lok.toml", (project.root / "lok.toml").read_text() + "[conductor]\nmax_rounds = 1\n")
        assert project.lok("conduct", "Make it fast", "--json").document["usage"]["calls"] == 3

    def test_a_backend_without_an_answer_is_told_to_the_conductor(self, project: Project) -> None:
        ann: list[Reply] = [
            ("told to fail", answers(answer="nobody knows", ask_bob=[], ask_cy=[])),
            self.ASKS,
        ]
        backends(project, ann=ann, bob=[("", "overload")], cy=[("", "auth")])
        done = project.lok("conduct", "Make it fast")
        assert (done.code, done.out.splitlines()[:2]) == (3, ["nobody knows", ""])
        assert done.out.splitlines()[2].startswith("bob did not answer: bob was told to fail")
        assert "not one question to the others was answered" in done.err

    def test_one_answer_of_several_is_enough(self, project: Project) -> None:
        asks: Reply = ("Either ask", answers(answer="", ask_bob=["what is slow?"], ask_cy=["and why?"]))
        ann: list[Reply] = [("the database", answers(answer="an index", ask_bob=[], ask_cy=[])), asks]
        backends(project, ann=ann, bob=[("", "the database")], cy=[("", "auth")])
        done = project.lok("conduct", "Make it fast")
        assert (done.code, done.out.startswith("an index\n\ncy did not answer: cy was told")) == (0, True)

    def test_an_answer_without_questions_needs_nobody(self, project: Project) -> None:
        ann: list[Reply] = [("", answers(answer="done", ask_bob=[], ask_cy=[]))]
        backends(project, ann=ann, bob=[("", "auth")], cy=[("", "auth")])
        done = project.lok("conduct", "Make it fast")
        assert (done.code, done.out) == (0, "done\n")

    def test_an_answer_and_questions_together_are_neither(self, project: Project) -> None:
        both = answers(answer="done", ask_bob=["and now?"], ask_cy=[])
        backends(project, ann=[("", both)], bob=[("", "x")], cy=[("", "x")])
        done = project.lok("conduct", "Make it fast")
        assert (done.code, "There is none: conductor-1" in done.out) == (3, True)
        assert "both answers and calls ask_bob" in done.out

    def test_calls_are_bounded(self, project: Project) -> None:
        backends(project, ann=[self.ASKS], bob=[("", "x")], cy=[("", "x")])
        done = project.lok("conduct", "Make it fast", "--max-calls", "3")
        assert done.code == 3
        assert "There is none: " in done.out
        assert "### Round 1, to bob: what is slow?\n\nx" in done.out

    def test_nobody_to_ask(self, project: Project) -> None:
        backends(project, ann=[self.ASKS])
        done = project.lok("conduct", "Make it fast")
        assert (done.code, "ann alone has nobody to ask" in done.err) == (2, True)


def test_an_empty_text_is_refused_by_each(project: Project) -> None:
    backends(project, ann=[("", "x")], bob=[("", "x")])
    for verb in ("smart", "team", "debate", "spawn", "conduct"):
        done = project.lok(verb, " ")
        assert (done.code, done.out) == (2, "")
        assert "is empty" in done.err


def test_a_verb_is_no_workflow_to_plan(project: Project) -> None:
    done = project.lok("plan", "debate")
    assert done.code == 2
    assert "debate is a verb, and no workflow" in done.err
    assert "`lok debate … --toml`" in done.err
