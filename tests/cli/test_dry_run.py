"""``lok run --dry-run``: backends are asked, edits are shown and not made."""

import json
import subprocess

import pytest

from tests.cli.projects import Project

FIX = """
[[steps]]
name = "look"
shell = "cat a.txt"
[[steps]]
name = "fix"
prompt = "Fix {{ steps.look.output }}"
backend = "robot"
apply_edits = true
verify = "touch verified"
[[steps]]
name = "push"
depends_on = ["fix"]
shell = "touch pushed"
[[steps]]
name = "after"
depends_on = ["push"]
shell = "touch after"
"""
EDITS = [{"file": "a.txt", "old": "two\n", "new": "TWO\n"}, {"file": "new/b.txt", "old": "", "new": "b\n"}]
DIFF = """\
--- a/a.txt
+++ b/a.txt
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
--- /dev/null
+++ b/new/b.txt
@@ -0,0 +1 @@
+b
"""


@pytest.fixture
def fixing(project: Project) -> Project:
    reply = json.dumps({"edits": EDITS})
    project.write(
        "lok.toml",
        f'[backends.robot]\ntype = "scripted"\n[[backends.robot.replies]]\nreply = {json.dumps(reply)}\n',
    )
    project.write("a.txt", "one\ntwo\nthree\n")
    project.workflow("fix-it", FIX)
    return project


def names(project: Project) -> set[str]:
    return {path.name for path in project.root.iterdir()} - {".lok", "lok.toml", "home"}


def test_edits_are_shown_and_not_made(fixing: Project) -> None:
    done = fixing.lok("run", "fix-it", "--dry-run")
    assert (done.code, done.out) == (0, DIFF)
    assert "skipped  fix" in done.err
    assert "dry run: its edits apply, and are shown instead of made" in done.err
    assert "skipped  push" in done.err
    assert "skipped  after" in done.err
    assert names(fixing) == {"a.txt"}
    assert (fixing.root / "a.txt").read_text() == "one\ntwo\nthree\n"


def test_what_is_shown_is_what_is_made(fixing: Project) -> None:
    patch = fixing.lok("run", "fix-it", "--dry-run").out
    subprocess.run(["git", "apply"], input=patch, cwd=fixing.root, text=True, check=True)
    by_hand = {name: (fixing.root / name).read_text() for name in ("a.txt", "new/b.txt")}
    (fixing.root / "new/b.txt").unlink()
    fixing.write("a.txt", "one\ntwo\nthree\n")
    assert fixing.lok("run", "fix-it").code == 0
    assert {name: (fixing.root / name).read_text() for name in by_hand} == by_hand
    assert {"pushed", "after", "verified"} < names(fixing)


def test_edits_that_do_not_apply_are_a_failure_in_a_dry_run_too(fixing: Project) -> None:
    fixing.write("a.txt", "nothing to replace\n")
    done = fixing.lok("run", "fix-it", "--dry-run")
    assert (done.code, done.out) == (1, "")
    assert "does not hold the text of `old`" in done.err


def test_items_are_shown_one_after_the_other(fixing: Project) -> None:
    edits = '{\\"edits\\": [{\\"file\\": \\"new/\\\\g<1>\\", \\"old\\": \\"\\", \\"new\\": \\"b\\"}]}'
    fixing.write(
        "lok.toml",
        '[backends.robot]\ntype = "scripted"\n[[backends.robot.replies]]\nregex = "Fix (\\\\d)"\n'
        f'reply = "{edits}"\n',
    )
    each = FIX.replace("Fix {{ steps.look.output }}", "Fix {{ item }}")
    fixing.workflow("fix-it", each.replace('backend = "robot"', 'backend = "robot"\nfor_each = [1, 2]'))
    done = fixing.lok("run", "fix-it", "--dry-run")
    assert (done.code, [line for line in done.out.split("\n") if "+++" in line]) == (
        0,
        ["+++ b/new/1", "+++ b/new/2"],
    )
    assert names(fixing) == {"a.txt"}


def test_items_whose_edits_do_not_go_together_are_no_success(fixing: Project) -> None:
    fixing.workflow("fix-it", FIX.replace('backend = "robot"', 'backend = "robot"\nfor_each = [1, 2]'))
    done = fixing.lok("run", "fix-it", "--dry-run")
    assert done.code == 1
    assert "[1] 2: failed: the edits do not apply" in done.err
    assert names(fixing) == {"a.txt"}


def test_json_says_it_all(fixing: Project) -> None:
    document = fixing.lok("run", "fix-it", "--dry-run", "--json").document
    assert document["outcome"] == "passed", "the first step did its work"
    assert document["steps"]["fix"]["outcome"] == "skipped"
    assert document["steps"]["fix"]["output"] == DIFF
    assert document["steps"]["after"]["blocked_by"] == "fix"


def test_steps_that_ask_without_edits_run_as_ever(fixing: Project) -> None:
    fixing.workflow(
        "ask",
        '[[steps]]\nname = "a"\nprompt = "?"\nbackend = "robot"\nassert = ["json.edits | length > 0"]\n',
    )
    done = fixing.lok("run", "ask", "--dry-run")
    assert done.code == 0
    assert '"file": "a.txt"' in done.out, "the answer is the result where no edits are made"
    assert "passed   a" in done.err
