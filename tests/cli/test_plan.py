"""``lok plan``: everything is said and nothing is done."""

from tests.cli.projects import Project

WORKFLOW = """
description = "Look at a range"
[args.range]
default = "HEAD"
position = 1
[[steps]]
name = "diff"
shell = "touch ran; echo {{ arg.range }}"
[[steps]]
name = "known"
backend = "ann"
prompt = "look at {{ arg.range }} {{ '{' }}"
[[steps]]
name = "review"
backends = ["ann", "gone"]
when = "steps.diff.output != ''"
prompt = "review {{ steps.diff.output }}"
"""
SETTINGS = """
[backends.ann]
type = "scripted"
[[backends.ann.replies]]
reply = "never asked"
[backends.gone]
type = "command"
command = "no-such-program-anywhere"
"""


def test_steps_in_order_with_commands_prompts_and_who_is_asked(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", WORKFLOW)
    done = project.lok("plan", "w", "main..HEAD")
    assert done.code == 0
    assert "w: Look at a range" in done.out
    assert "  arg.range = main..HEAD\n" in done.out
    assert "arg.1" not in done.out
    assert "1. diff: command\n     touch ran; echo {{ arg.range }}\n" in done.out
    assert "2. known: asks ann\n     look at main..HEAD {\n" in done.out
    assert "3. review: asks ann, gone (" in done.out
    assert "   after diff\n   when steps.diff.output != ''\n" in done.out
    assert "     review {{ steps.diff.output }}\n" in done.out
    assert not (project.root / "ran").exists()


def test_a_plan_for_programs(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", WORKFLOW)
    document = project.lok("plan", "w", "--json", "--step", "known").document
    assert document["selected"] == ["known"]
    assert document["arguments"]["range"] == "HEAD"
    (step,) = document["steps"]
    assert step["prompt"] == "look at HEAD {"
    assert step["prompt_known"] is True
    assert step["backends"] == [
        {
            "backend": "ann",
            "auto": False,
            "why": "",
            "problem": "",
            "price": {"input": 0.0, "output": 0.0},
            "options": {},
        }
    ]
    assert document["estimate"]["questions"] == {"usual": 1, "most": 2}
    assert document["estimate"]["cost_usd"] == 0.0
    assert document["estimate"]["input_tokens"] == 4


def test_secrets_are_masked_as_in_a_run(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.environ["OUR_API_KEY"] = "supersecretvalue123"
    project.workflow("w", '[[steps]]\nname = "s"\nbackend = "ann"\nprompt = "key {{ env.OUR_API_KEY }}"\n')
    for args in (("plan", "w"), ("plan", "w", "--json")):
        said = project.lok(*args).out
        assert "supersecretvalue123" not in said
        assert "key [redacted]" in said


def test_a_plan_finds_mistakes(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow("w", WORKFLOW)
    assert project.lok("plan", "w", "--nope").code == 2
    assert project.lok("plan", "w", "--step", "nope").code == 2


def test_long_prompts_are_cut_unless_asked_for(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    lines = "\\n".join(f"line {n}" for n in range(50))
    project.workflow("w", f'[[steps]]\nname = "s"\nbackend = "ann"\nprompt = "{lines}"\n')
    assert "… 30 more lines" in project.lok("plan", "w").out
    assert "line 49" in project.lok("plan", "-v", "w").out


def test_a_plan_shows_what_is_paid_for_and_what_decides(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    project.workflow(
        "w",
        """
[gate]
fail_on = "critical"
scope = "diff"
[budget]
calls = 9
[[steps]]
name = "list"
shell = "echo '[1, 2]'"
output_format = "json_array"
retries = 2
[[steps]]
name = "review"
backends = ["ann", "gone"]
prompt = "review"
output_format = "findings"
[[steps]]
name = "each"
for_each = "steps.list.output"
backend = "ann"
prompt = "{{ item }}"
fix_retries = 1
assert = ["output != ''"]
""",
    )
    done = project.lok("plan", "w")
    assert "if an attempt fails: 2 retries, the first after 1 s" in done.out
    assert "; what they find is put together" in done.out
    assert "asked again 1 time if that does not hold" in done.out
    assert "Gate: fail_on = critical, scope = diff." in done.out
    assert "Budget: calls = 9." in done.out
    assert "3 steps, 2 questions, at most 6; for each item of each: 1 question, at most 4." in done.out
    steps = project.lok("plan", "w", "--json").document["steps"]
    assert steps[1]["questions"] == {"usual": 2, "most": 6}
