"""The judge and its table of rules, apart from what single commands do."""

import re
from pathlib import Path

from pytest_lok.core.shell.ast import Hole, NamedCommand
from pytest_lok.core.shell.cursor import HOLE
from pytest_lok.core.shell.parser import scan
from pytest_lok.core.shell.safety import judge as judge_module
from pytest_lok.core.shell.safety.judge import CommandJudge, Rule, RuleTable
from pytest_lok.core.shell.safety.rules.programs import RULES, review


def test_commands_are_judged_by_the_table_that_the_judge_is_given() -> None:
    seen: list[tuple[str, str]] = []

    def rule(kind: str) -> Rule:
        return lambda judge, call: seen.append((kind, call.name))

    table = RuleTable(
        by_name={"known": rule("named")}, interpreter=rule("interpreter"), function=rule("function"),
        ordinary=rule("ordinary"),
    )  # fmt: skip
    script = scan("f() { known; }; f; python3.11 x; /bin/other")
    CommandJudge(script, table).read(script)
    assert seen == [
        ("named", "known"), ("function", "f"), ("ordinary", "f"), ("interpreter", "python3.11"),
        ("ordinary", "other"),
    ]  # fmt: skip
    assert table.knows("known")
    assert not table.knows("other")


def test_a_value_is_followed_through_a_variable_that_is_set_later() -> None:
    text = f'while eval "$x"; do x={HOLE}; done'
    hole = Hole(text.index(HOLE), text.index(HOLE) + 1)
    assert "eval" in review(scan(text, [hole])).refused[hole][0]


def test_every_command_of_the_table_can_be_called_with_nothing() -> None:
    for name in RULES.by_name:
        if re.fullmatch(r"[\w.-]+", name):
            script = scan(name)
            judge = CommandJudge(script, RULES)
            RULES.rule(name)(judge, NamedCommand(name=name, args=[], command=script.commands[0]))
            assert judge.report.refused == {}


def test_the_judge_imports_no_rule() -> None:
    assert "safety.rules" not in Path(str(judge_module.__file__)).read_text()
