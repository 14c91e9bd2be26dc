"""Answers that edit files: what they change, what they may not, and what is left when they do not hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_lok.workspace.files import NOT_UNDONE
from tests.cli.projects import Done, Project

STEP = '[[steps]]\nname = "s"\nprompt = "x"\napply_edits = true\n'


def says(project: Project, *edits: tuple[str, str, str]) -> None:
    """Every question is answered with these edits: file, old, new."""
    listed = [{"file": file, "old": old, "new": new} for file, old, new in edits]
    rule = {"reply": json.dumps({"edits": listed}, ensure_ascii=False)}
    project.write(
        "lok.toml",
        '[defaults]\nbackend = "m"\n[backends.m]\ntype = "scripted"\n'
        f"[[backends.m.replies]]\nreply = '''{rule['reply']}'''\n",
    )


def says_of(project: Project, answers: dict[str, list[tuple[str, str, str]]]) -> None:
    """Questions in which one of these words stands are answered with its edits."""
    rules = []
    for word, edits in answers.items():
        listed = [{"file": file, "old": old, "new": new} for file, old, new in edits]
        reply = json.dumps({"edits": listed})
        rules.append(f"[[backends.m.replies]]\nmatch = '{word}'\nreply = '{reply}'\n")
    project.write("lok.toml", '[defaults]\nbackend = "m"\n[backends.m]\ntype = "scripted"\n' + "".join(rules))


def ran(project: Project, keys: str = "") -> Done:
    project.workflow("w", (STEP.replace("x", "{{ item }}", 1) if "for_each" in keys else STEP) + keys)
    return project.lok("run", "w")


def state_of(project: Project) -> Path:
    (lock,) = (project.root / "home").rglob("lock")
    return lock.parent


@pytest.fixture(autouse=True)
def _own_state(project: Project) -> None:
    project.environ["XDG_STATE_HOME"] = str(project.root / "home" / "state")


# --- an answer that changes nothing


@pytest.mark.parametrize("edits", [[], [("a.txt", "a", "a")]])
def test_an_answer_that_changes_nothing_is_no_pass(
    project: Project, edits: list[tuple[str, str, str]]
) -> None:
    project.write("a.txt", "a\n")
    says(project, *edits)
    done = ran(project)
    assert done.code == 1
    assert "no change" in done.err
    assert "allow_empty" in done.err
    assert ran(project, "allow_empty = true\n").code == 0


def test_of_several_items_each_has_to_change_something(project: Project) -> None:
    says_of(project, {"one": [("a.txt", "a", "A")], "two": [], "three": [("b.txt", "b", "b")]})
    project.write("a.txt", "a\n")
    project.write("b.txt", "b\n")
    for other, why in (("two", "there are none"), ("three", "they leave every file as it was")):
        done = ran(project, f'for_each = ["one", "{other}"]\n')
        assert done.code == 1
        assert f"no change by the edits: {why}" in done.err
        assert (project.root / "a.txt").read_text() == "a\n"
    assert ran(project, 'for_each = ["one", "two", "three"]\nallow_empty = true\n').code == 0
    assert (project.root / "a.txt").read_text() == "A\n"


def test_items_whose_edits_undo_each_other_change_nothing(project: Project) -> None:
    says_of(project, {"one": [("a.txt", "a", "b")], "two": [("a.txt", "b", "a")]})
    project.write("a.txt", "a\n")
    done = ran(project, 'for_each = ["one", "two"]\n')
    assert done.code == 1
    assert "no change by the edits: those of one item undo those of another" in done.err


@pytest.mark.parametrize("verb", [["plan", "w"], ["workflow", "validate", "w"], ["run", "w"]])
def test_a_verification_that_is_off_is_told(project: Project, verb: list[str]) -> None:
    project.write("a.txt", "a\n")
    says(project, ("a.txt", "a", "b"))
    project.workflow("w", STEP + 'verify = "false"\n')
    done = project.lok(*verb)
    assert done.code == 0
    assert '"false" switches `verify` off' in done.err
    project.workflow("w", STEP + "verify = false\n")
    assert "switches" not in project.lok(*verb).err


@pytest.mark.parametrize("verify", [" ", "# make test", "\\n  # make test\\n"])
def test_a_verification_without_a_command_is_an_error(project: Project, verify: str) -> None:
    project.write("a.txt", "a\n")
    says(project, ("a.txt", "a", "b"))
    done = ran(project, f'verify = "{verify}"\n')
    assert done.code == 2
    assert "`verify` holds no command" in done.err


# --- what verifies the edits is not edited by them


@pytest.mark.parametrize(
    ("file", "old", "new", "verify"),
    [
        ("Makefile", "false", "true", "make test"),
        ("tests/__init__.py", "", "import os; os._exit(0)", "python"),
        ("tests/test_a.py", "assert 0", "assert 1", "python"),
        ("check.sh", "exit 1", "exit 0", "sh check.sh"),
        ("tool/check.py", "exit(1)", "exit(0)", "python3 tool/check.py"),
        ("tool/check.py", "exit(1)", "exit(0)", "cat tool/check.py | python3"),
        ("tool/check.py", "exit(1)", "exit(0)", "make checked"),
        ("unittest.py", "", "exit(0)", "python3 -m unittest"),
        ("expected.txt", "b", "a", "diff a.txt expected.txt"),
    ],
)
def test_an_answer_cannot_edit_what_verifies_it(
    project: Project, file: str, old: str, new: str, verify: str
) -> None:
    tree = {
        "Makefile": "test:\n\tfalse\nchecked:\n\tpython3 tool/check.py\n",
        "tests/test_a.py": "def test_a(): assert 0\n",
        "check.sh": "exit 1\n",
        "tool/check.py": "exit(1)\n",
        "a.txt": "a\n",
        "expected.txt": "b\n",
        "pyproject.toml": '[project]\nname = "x"\nversion = "1"\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
    }
    for name, text in tree.items():
        project.write(name, text)
    says(project, (file, old, new))
    done = ran(project, f'verify = "{verify}"\n')
    assert done.code == 1
    assert "allow_paths" in done.err
    assert {name: (project.root / name).read_text() for name in tree} == tree
    assert not (project.root / "unittest.py").exists()


IMPORTING = {
    "check.py": "import sys\nfrom rules import ok\nsys.exit(not ok)\n",
    "rules.py": "from inner import ok\n",
    "inner.py": "ok = False\n",
    "tool/run.py": "def main():\n    from lib.deep import ok\n    raise SystemExit(not ok)\nmain()\n",
    "tool/lib/deep.py": "from . import deeper\nok = deeper.ok\n",
    "tool/lib/deeper.py": "ok = False\n",
    "tool/named.py": "import importlib\nraise SystemExit(not importlib.import_module('facts').ok)\n",
    "tool/facts.py": "ok = False\n",
    "tool/computed.py": "import importlib\nraise SystemExit(not importlib.import_module('fac' + 'ts').ok)\n",
    "tool/added.py": "import sys\nsys.path.append('tool/more')\nimport far\nraise SystemExit(not far.ok)\n",
    "tool/more/far.py": "ok = False\n",
    "tool/own.sh": "cd tool\npython3 named.py\n",
    "app/main.py": "new = False\n",
}


@pytest.mark.parametrize(
    ("verify", "file"),
    [
        ("python3 check.py", "rules.py"),
        ("python3 check.py", "inner.py"),
        ("python3 -m check", "inner.py"),
        ("python3 tool/run.py app/main.py", "tool/lib/deep.py"),
        ("python3 tool/run.py app/main.py", "tool/lib/deeper.py"),
        ("python3 tool/named.py", "tool/facts.py"),
        ("cd tool && python3 named.py", "tool/facts.py"),
        ("sh tool/own.sh", "tool/facts.py"),
        ("python3 tool/computed.py", "tool/facts.py"),
        ("python3 tool/added.py", "tool/more/far.py"),
    ],
)
def test_an_answer_cannot_edit_what_its_judge_imports(project: Project, verify: str, file: str) -> None:
    for name, text in IMPORTING.items():
        project.write(name, text)
    says(project, (file, IMPORTING[file].rstrip(), "ok = True"))
    done = ran(project, f'verify = "{verify}"\n')
    assert done.code == 1
    assert "imports it" in done.err
    assert (project.root / file).read_text() == IMPORTING[file]
    assert ran(project, f'verify = "{verify}"\nallow_paths = ["{file}"]\n').code == 0


@pytest.mark.parametrize(
    ("judge", "text"),
    [
        ("tool/check.py", "import sys\nsys.path.insert(0, 'app')\nimport main\nassert main.new\n"),
        ("tool/check.py", "assert 'True' in open('app/main.py').read()\n"),
        ("check.py", "import json\nassert 'True' in open('app/main.py').read()\n"),
        ("test_main.py", "from app.main import new\nassert new\n"),
    ],
)
def test_what_a_judge_looks_at_from_another_place_may_be_edited(
    project: Project, judge: str, text: str
) -> None:
    project.write("app/main.py", "new = False\n")
    project.write(judge, text)
    says(project, ("app/main.py", "False", "True"))
    assert ran(project, f'verify = "python3 {judge}"\n').code == 0


@pytest.mark.parametrize(
    ("verify", "file"),
    [
        ("grep -q new src/app.py", "src/app.py"),
        ("python3 -m py_compile src/app.py", "src/app.py"),
        ("python3 tool/check.py src/other.py", "src/app.py"),
        ("python3 -m pytest --version --cov=src", "src/app.py"),
        ("test -f tests/test_b.py", "tests/test_b.py"),
        ("python3 -m py_compile src/app.py", "tests/test_b.py"),
    ],
)
def test_what_is_verified_may_be_edited(project: Project, verify: str, file: str) -> None:
    project.write("src/app.py", "new = 1\n")
    project.write("tool/check.py", "")
    project.write(file, "new = 1\n")
    says(project, (file, "1", "2"))
    assert ran(project, f'verify = "{verify}"\n').code == 0
    assert (project.root / file).read_text() == "new = 2\n"


def test_where_the_author_permits_it_the_report_says_that_the_judge_was_changed(project: Project) -> None:
    project.write("Makefile", "test:\n\tfalse\n")
    says(project, ("Makefile", "false", "true"))
    project.workflow("w", f'{STEP}verify = "make test"\nallow_paths = ["Makefile"]\n')
    sections = project.lok("run", "w", "--json").document["steps"]["s"]["sections"]
    assert any(
        "what decides what is run" in section["title"] and "Makefile" in section["text"]
        for section in sections
    )


# --- names that decide what is run


@pytest.mark.parametrize(
    "file",
    ["AGENTS.md", "sub/pytest.ini", "sub/.lok/workflows/x.toml", ".vscode/tasks.json", "a/b/package.json"],
)
def test_what_decides_what_is_run_is_protected_in_every_directory(project: Project, file: str) -> None:
    says(project, ("ok.txt", "", "x"), (file, "", "x"))
    done = ran(project)
    assert done.code == 1
    assert "allow_paths" in done.err
    assert not (project.root / "ok.txt").exists()


# --- a set of paths


@pytest.mark.parametrize(
    "edits",
    [
        [("n", "", "1"), ("n/x", "", "2")],
        [("n/x", "", "2"), ("n", "", "1")],
        [("n", "", "1"), ("N/x/y", "", "2")],
        [("new.txt", "", "1"), ("New.txt", "", "2")],
        [("caf\u00e9", "", "1"), ("cafe\u0301", "", "2")],
        [("a.txt/x", "", "1")],
    ],
)
def test_paths_that_get_in_each_others_way_are_refused_before_anything_is_written(
    project: Project, edits: list[tuple[str, str, str]]
) -> None:
    project.write("a.txt", "a\n")
    says(project, *edits)
    assert ran(project).code == 1
    assert {path.name for path in project.root.iterdir()} == {"a.txt", "lok.toml", ".lok", "home"}
    project.workflow("ok", '[[steps]]\nname = "s"\nshell = "true"\n')
    assert project.lok("run", "ok").code == 0


# --- a step is one transaction


def test_the_edits_of_all_items_are_applied_or_none(project: Project) -> None:
    project.write("a.txt", "a\n")
    says(project, ("a.txt", "a", "A"))
    done = ran(project, 'for_each = ["a", "b"]\n')
    assert done.code == 1
    assert "[1] b: failed: the edits do not apply" in done.err
    assert "[0] a: skipped: its edits are undone" in done.err
    assert (project.root / "a.txt").read_text() == "a\n"


def test_items_whose_edits_hold_are_applied_together(project: Project) -> None:
    project.write("a.txt", "one two\n")
    project.write(
        "lok.toml",
        '[defaults]\nbackend = "m"\n[backends.m]\ntype = "scripted"\n[[backends.m.replies]]\nregex = "(one|two)"\n'
        'reply = \'{"edits": [{"file": "a.txt", "old": "\\g<1>", "new": "\\g<1>!"}]}\'\n',
    )
    project.workflow(
        "w",
        f'{STEP.replace("x", "{{ item }}", 1)}for_each = ["one", "two"]\nverify = "grep -qx \'one! two!\' a.txt"\n',
    )
    assert project.lok("run", "w").code == 0
    assert (project.root / "a.txt").read_text() == "one! two!\n"


def test_one_item_that_is_not_verified_undoes_all(project: Project) -> None:
    project.write("a.txt", "one two\n")
    project.write(
        "lok.toml",
        '[defaults]\nbackend = "m"\n[backends.m]\ntype = "scripted"\n[[backends.m.replies]]\nregex = "(one|two)"\n'
        'reply = \'{"edits": [{"file": "a.txt", "old": "\\g<1>", "new": "\\g<1>!"}]}\'\n',
    )
    step = STEP.replace("x", "{{ item }}", 1)
    project.workflow("w", f'{step}for_each = ["one", "two"]\nverify = "test {{{{ item }}}} = one"\n')
    assert project.lok("run", "w").code == 1
    assert (project.root / "a.txt").read_text() == "one two\n"


# --- texts that look alike


def test_letters_in_another_unicode_form_are_named(project: Project) -> None:
    project.write("a.txt", "cafe\u0301 = 1\n")
    says(project, ("a.txt", "caf\u00e9 = 1", "x"))
    done = ran(project)
    assert done.code == 1
    assert "in another Unicode form (NFD)" in done.err


# --- undoing what a killed run left


@pytest.mark.parametrize("manifest", ["", "[", "{}", "[1]", '[{"file": "a"}]', "\0", "nul"])
def test_a_broken_journal_is_named_once_and_stops_no_later_run(project: Project, manifest: str) -> None:
    says(project, ("zz", "", "1"))
    assert ran(project).code == 0
    names = ["deadbeefdeadbeef", "feedfacefeedface"]  # all of them are gone through
    for name in names:
        journal = state_of(project) / name
        journal.mkdir()
        (journal / "manifest.json").write_text(manifest)
    project.workflow("ok", '[[steps]]\nname = "s"\nshell = "true"\n')
    done = project.lok("run", "ok")
    assert done.code == 3
    for name in names:
        assert str(state_of(project) / NOT_UNDONE / name) in done.err.replace("\n", "")
    assert project.lok("run", "ok").code == 0


def test_undoing_goes_on_past_what_cannot_be_undone(project: Project) -> None:
    project.write("keep.txt", "edited")
    project.write("gone/file/there.txt", "a directory stands where a file was")
    says(project, ("zz", "", "1"))
    assert ran(project).code == 0
    journal = state_of(project) / "deadbeefdeadbeef"
    journal.mkdir()
    common = {"mode": 0o644, "modified": 0, "new_directories": []}
    entries = [
        {"file": "keep.txt", "saved": "0.original", "temporary": ".a", **common},
        {"file": "gone/file", "saved": "1.original", "temporary": ".b", **common},
    ]
    for number in (0, 1):
        (journal / f"{number}.original").write_text("original")
    (journal / "manifest.json").write_text(json.dumps(entries))
    project.workflow("ok", '[[steps]]\nname = "s"\nshell = "true"\n')
    done = project.lok("run", "ok")
    assert done.code == 3
    assert "gone/file" in done.err
    assert (project.root / "keep.txt").read_text() == "original"
    assert project.lok("run", "ok").code == 0


# --- who judges the edits besides their own verify command


@pytest.mark.parametrize(
    ("file", "old", "new", "later"),
    [
        ("tests/test_app.py", "assert 0", "pass", 'shell = "python3 -m pytest -q"'),
        ("check.sh", "exit 1", "exit 0", 'shell = "./check.sh"'),
        ("check.sh", "exit 1", "exit 0", 'argv = ["sh", "check.sh"]'),
        ("check.sh", "exit 1", "exit 0", 'prompt = "fine?"\nverify = "./check.sh"'),
    ],
)
def test_an_answer_cannot_edit_what_judges_it_in_a_later_step(
    project: Project, file: str, old: str, new: str, later: str
) -> None:
    project.write("tests/test_app.py", "def test_a(): assert 0\n")
    project.write("check.sh", "#!/bin/sh\nexit 1\n").chmod(0o755)
    says(project, (file, old, new))
    project.workflow("w", f'{STEP}[[steps]]\nname = "later"\ndepends_on = ["s"]\n{later}\n')
    done = project.lok("run", "w")
    assert done.code == 1
    assert "the step 'later'" in done.err
    assert old in (project.root / file).read_text()


def test_later_steps_that_hand_a_change_on_judge_nothing(project: Project) -> None:
    project.write("tests/test_app.py", "def test_a(): assert 0\n")
    says(project, ("tests/test_app.py", "assert 0", "pass"))
    project.workflow(
        "w",
        f'{STEP}[[steps]]\nname = "later"\ndepends_on = ["s"]\nshell = "git status || git diff || true"\n',
    )
    assert project.lok("run", "w").code == 0


def test_edits_that_the_verification_takes_back_are_no_change(project: Project) -> None:
    project.write("a.txt", "a\n")
    says(project, ("a.txt", "a", "b"))
    done = ran(project, 'verify = "echo a > a.txt"\n')
    assert done.code == 1
    assert "`verify` has put every file back" in done.err


def test_a_module_that_the_test_runner_needs_is_not_replaced(project: Project) -> None:
    says(project, ("pluggy.py", "", "import os; os._exit(0)"))
    assert ran(project, 'verify = "python3 -m pytest -q"\n').code == 1
    assert not (project.root / "pluggy.py").exists()


def test_a_path_may_begin_with_the_directory_it_is_in(project: Project) -> None:
    project.write("a.txt", "a\n")
    says(project, ("./a.txt", "a", "b"))
    assert ran(project).code == 0


@pytest.mark.parametrize(
    ("answer", "said", "hint"),
    [
        (
            "I would change it.",
            "the answer holds no edits: the output holds no JSON",
            "ask for JSON of the form",
        ),
        (
            '{"edits": [{"file": "a.txt", "old": "zzz", "new": "y"}]}',
            "does not hold the text",
            "fix_retries = 1",
        ),
    ],
)
def test_an_answer_that_edits_nothing_is_told_with_what_helps(
    project: Project, answer: str, said: str, hint: str
) -> None:
    project.write("a.txt", "x\n")
    project.write("answer.txt", answer)
    project.write("lok.toml", '[backends.b]\ntype = "scripted"\nreplies = [{ file = "answer.txt" }]\n')
    project.workflow("w", '[[steps]]\nname = "s"\nprompt = "x"\nbackend = "b"\napply_edits = true\n')
    done = project.lok("w")
    assert done.code
    assert said in done.err
    assert hint in done.err


def test_an_answer_that_edits_nothing_and_may_do_so_says_so(project: Project) -> None:
    project.write(
        "lok.toml", """[backends.b]\ntype = "scripted"\nreplies = [{ reply = '{"edits": []}' }]\n"""
    )
    keys = 'backend = "b"\napply_edits = true\nallow_empty = true\n'
    project.workflow("w", f'[[steps]]\nname = "s"\nprompt = "x"\n{keys}')
    done = project.lok("w")
    assert done.code == 0
    assert "the answer edits nothing, as `allow_empty` permits" in done.err
