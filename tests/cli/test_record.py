"""``lok run --record``: asked once, reviewed, and from then on answered offline."""

import pytest

from tests.cli.projects import Project

ASK = """
[[steps]]
name = "a"
backend = "tool"
prompt = "Is {{ arg.what }} safe?"
[args.what]
default = "it"
"""
# answers with a number that grows each time it is asked
TOOL = """
[backends.tool]
type = "command"
command = "sh"
args = ["-c", "cat >/dev/null; echo x >> asked; wc -l < asked"]
"""


@pytest.fixture
def asking(project: Project) -> Project:
    project.write("lok.toml", TOOL)
    project.workflow("w", ASK)
    return project


def calls(project: Project) -> int:
    file = project.root / "asked"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_recorded_once_then_answered_without_asking(asking: Project) -> None:
    first = asking.lok("run", "w", "--record")
    assert (first.code, first.out.strip()) == (0, "1")
    assert "(cached)" not in first.err
    assert 'prompt = "Is it safe?"' in (asking.root / ".lok/cassettes/w/a.toml").read_text()
    asking.write("lok.toml", TOOL.replace('"sh"', '"no-such-program"'))
    for option in ("--record", "--record=none", "--record=once", "--record=new"):
        again = asking.lok("w", option)
        assert (again.code, again.out.strip()) == (0, "1")
        assert again.err.count("(cached)") == 2  # of the step, and in the summary
    assert calls(asking) == 1


def test_an_unknown_prompt_is_no_answer(asking: Project) -> None:
    asking.lok("run", "w", "--record")
    done = asking.lok("run", "w", "--record", "--what", "she")
    assert done.code == 3
    assert '-prompt = "Is it safe?"' in done.err
    assert '+prompt = "Is she safe?"' in done.err
    assert asking.lok("run", "--record=new", "w", "--what", "she").out.strip() == "2"
    assert asking.lok("run", "--record=all", "w", "--what", "she").out.strip() == "3"
    assert asking.lok("run", "--record=none", "w", "--what", "it").code == 3
    assert calls(asking) == 3


def test_without_the_option_nothing_is_recorded_or_replayed(asking: Project) -> None:
    asking.lok("run", "w")
    assert not (asking.root / ".lok/cassettes").exists()
    asking.lok("run", "w", "--record")
    asking.lok("run", "w")
    assert calls(asking) == 3


def test_in_ci_nothing_is_recorded_unless_it_is_said(asking: Project) -> None:
    asking.environ["CI"] = "true"
    done = asking.lok("run", "w", "--record")
    assert done.code == 3
    assert "nothing is recorded of tool" in done.err
    assert calls(asking) == 0
    assert asking.lok("run", "w", "--record=once").code == 0
    assert calls(asking) == 1


def test_programs_are_told_too(asking: Project) -> None:
    asking.lok("run", "w", "--record")
    step = asking.lok("run", "w", "--record", "--json").document["steps"]["a"]
    assert step["replies"][0]["cached"] is True
    assert step["usage"] == {"calls": 0, "cached": 1, "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}


@pytest.mark.parametrize("words", [["run", "--record", "w"], ["run", "w", "--record=always"]])
def test_a_mode_that_is_none_is_told_from_a_workflow(asking: Project, words: list[str]) -> None:
    done = asking.lok(*words)
    assert done.code == 2
    assert "none, once, new, all" in done.err
    assert calls(asking) == 0


def test_recorded_answers_wait_for_no_place_and_break_no_budget(asking: Project) -> None:
    many = "\n".join(f'[[steps]]\nname = "s{n}"\nbackend = "tool"\nprompt = "{n}?"' for n in range(9))
    asking.workflow("many", "[budget]\ncalls = 9\nusd = 1\n" + many)
    asking.write("lok.toml", TOOL + '[prices."*"]\ninput = 0\noutput = 0\n')
    asking.workflow("record", many)
    asking.lok("run", "record", "--record")
    (asking.root / ".lok/cassettes/record").rename(asking.root / ".lok/cassettes/many")
    asking.write("lok.toml", TOOL + "requests_per_minute = 1\nmax_concurrent = 1\n")
    done = asking.lok("run", "many", "--record=none")
    assert done.code == 0
    assert calls(asking) == 9
