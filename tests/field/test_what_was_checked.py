"""What a gate sets aside was checked: quotes in every form, in both versions of a file, and what is not found."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.projects import Project

DIFF = 'scope = "diff"'
OLD = "def delete(user, x):\n    if not user.admin:\n        raise Forbidden\n    x.delete()\n"
NEW = "def delete(user, x):\n    x.delete()\n"


def git(root: Path, *arguments: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@example.org"}
    subprocess.run(["git", *arguments], cwd=root, env=env, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=more")


class Change:
    """A project whose one step reports what it is told to; with ``before`` it is on a branch."""

    def __init__(self, project: Project, gate: str = "", above: str = "") -> None:
        self.project, self.root = project, project.root
        project.workflow(
            "w",
            f'{above}[gate]\nfail_on = "high"\n{gate}\n[[steps]]\nname = "s"\nargv = ["cat", "f.json"]\n'
            'output_format = "findings"\n',
        )
        project.write(".gitignore", "f.json\nhome\n")

    def files(self, **contents: str | bytes) -> None:
        for name, content in contents.items():
            self.put(name.replace("_py", ".py"), content)

    def put(self, name: str, content: str | bytes) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def branch(self) -> None:
        git(self.root, "init", "--quiet", "--initial-branch=main")
        commit(self.root)
        git(self.root, "switch", "--quiet", "--create=feature")

    def code(self, *findings: dict[str, Any]) -> int:
        usual = {"rule_id": "r", "title": "t", "message": "m", "severity": "critical", "confidence": 1}
        self.put("f.json", json.dumps([{**usual, **finding} for finding in findings]))
        self.said = self.project.lok("run", "w")
        return self.said.code

    def standings(self, findings: dict[str, dict[str, Any]]) -> dict[str, str]:
        """What each of the findings comes to in one run, by the name it is given here."""
        self.code(
            *({"title": name, "rule_id": f"r{n}", **it} for n, (name, it) in enumerate(findings.items()))
        )
        step = self.project.lok("run", "w", "--json").document["steps"]["s"]
        return {it["title"]: it["standing"] for it in step["findings"]}


Made = Callable[..., Change]


@pytest.fixture
def made(project: Project) -> Made:
    return lambda gate="", above="": Change(project, gate, above)


def at(path: str, line: int, evidence: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "line": line, "evidence": evidence, **more}


# --- both versions


def test_removed_code_is_part_of_the_change(made: Made) -> None:
    here = made(DIFF)
    here.files(a_py=OLD)
    here.branch()
    here.files(a_py=NEW)
    assert here.code(at("a.py", 2, "    if not user.admin:")) == 1
    assert here.code(at("a.py", 2, "-    if not user.admin:")) == 1
    assert here.code(at("a.py", 2, "-    if not user.admin:\n-        raise Forbidden\n     x.delete()")) == 1
    (here.root / "a.py").unlink()
    commit(here.root)
    assert here.code(at("a.py", 2, "    if not user.admin:")) == 1
    assert here.code(at("a/a.py", 4, "x.delete()")) == 1


def test_removed_code_counts_where_all_may_block(made: Made) -> None:
    here = made()
    here.files(a_py=OLD)
    here.branch()
    here.files(a_py=NEW)
    assert here.code(at("a.py", 2, "-    if not user.admin:")) == 1


def test_a_line_put_between_two_quoted_ones_is_a_change_of_them(made: Made) -> None:
    here = made(DIFF)
    here.files(a_py="lock()\nwrite()\nunlock()\n" + "pass\n" * 9)
    here.branch()
    here.files(a_py="lock()\nwrite()\nreturn\nunlock()\n" + "pass\n" * 9)
    assert here.code(at("a.py", 2, "write()\nunlock()")) == 1
    assert here.code(at("a.py", 9, "pass\npass")) == 0


def test_of_several_places_one_in_the_change_is_enough(made: Made) -> None:
    lines = [f"line{n}" for n in range(1, 31)]
    lines[2] = "dup()"
    here = made(DIFF)
    here.files(a_py="\n".join(lines))
    here.branch()
    lines[19] = "dup()"
    here.files(a_py="\n".join(lines))
    for line in (1, 3, 8, 20, 30):
        assert here.code(at("a.py", line, "dup()")) == 1
    assert here.code(at("a.py", 20, "line30")) == 0
    assert here.code(at("a.py", 1, "line3", end_line=1)) == 0  # a line that begins so, and none that changed


def test_all_the_lines_a_finding_is_about_count(made: Made) -> None:
    here = made(DIFF)
    here.files(a_py=OLD + "end()\n")
    here.branch()
    here.files(a_py=OLD.replace("x.delete", "y.delete") + "end()\n")
    assert here.code(at("a.py", 1, "def delete(user, x):", end_line=4)) == 1
    assert here.code(at("a.py", 1, "def delete(user, x):", end_line=2)) == 0
    assert here.code(at("a.py", 11, "def delete(user, x):", end_line=14)) == 1  # wrong numbers


def test_a_misquoted_finding_blocks_by_its_lines_where_that_is_wanted(made: Made) -> None:
    for scope in ("diff", "file"):
        here = made(f'scope = "{scope}"\nevidence = "warn"')
        here.files(a_py="import os, sys\nx\n", b_py="import os, sys\nx\n")
        if scope == "diff":
            here.branch()
        here.files(a_py="import os\nx\n")
        assert here.code(at("a.py", 1, "import os as operating_system")) == 1
        assert here.code(at("b.py", 1, "import os as operating_system")) == 0  # wherever it is in there
        assert here.code(at("c.py", 1, "import os as operating_system")) == 3


# --- the forms of quotes

FORMS = {
    "number and tab": "     2\timport os",
    "number and colon": "2: import os",
    "number and bar": "  2 | import os",
    "number and arrow": "     2\u2192import os",
    "numbers of two lines": "1: x\n2: import os",
    "grep": "a.py:2:import os",
    "grep with columns": "a.py:2:1:import os",
    "grep's context": "a.py-2-import os",
    "L": "L2: import os",
    "a marked frame": "  1 | x\n> 2 | import os",
    "added": "+import os",
    "added, with a blank": "+ import os",
    "a hunk": "@@ -1,2 +1,3 @@\n x\n+import os\n y",
    "numbers and marks": "2 + import os",
    "marks and numbers": "+2: import os",
    "backticks": "`import os`",
    "two backticks": "``import os``",
    "a fence": "```python\nimport os\n```",
    "a fence of tildes": "~~~\nimport os\n~~~",
    "a fence with numbers": "```\n2\timport os\n```",
    "quotation marks": '"import os"',
    "typographic marks": "\u201cimport os\u201d",
    "a mail": "> import os",
    "dots": "x\n...\ny",
    "one sign": "x \u2026 y",
    "brackets": "x\n[...]\ny",
    "a comment": "x\n# ... the rest of it ...\ny",
    "dots at the end": "import o...",
    "entities": "import&nbsp;os",
    "escaped once too often": "x\\nimport os",
    "white space": "im port  os",
    "no white space": "importos",
    "invisible characters": "imp\u200bort\u00ad os\ufeff",
    "no-break space": "import\u00a0os",
    "Windows": "x\r\nimport os\r\ny",
}


@pytest.mark.parametrize("gate", ["", DIFF])
def test_a_quote_is_read_as_people_and_tools_write_it(made: Made, gate: str) -> None:
    here = made(gate)
    here.files(a_py="x\ny\n" + "pass\n" * 9)
    if gate:
        here.branch()
    here.files(a_py="x\nimport os\ny\n" + "pass\n" * 9)
    quotes = {form: at("a.py", 2, quote) for form, quote in FORMS.items()}
    assert here.standings(quotes) == dict.fromkeys(FORMS, "blocks")
    assert here.said.code == 1


@pytest.mark.parametrize(
    "quote",
    [
        "pass",
        "     9\tpass",
        "9: pass",
        "`pass`",
        "```\npass\n```",
        "pass\n...\npass",
        "pa\u200bss",
        "> pass",
        "&#112;ass",
    ],
)
def test_what_is_not_in_the_change_is_outside_in_every_form(made: Made, quote: str) -> None:
    here = made(DIFF)
    here.files(a_py="x\ny\n" + "pass\n" * 9)
    here.branch()
    here.files(a_py="x\nimport os\ny\n" + "pass\n" * 9)
    assert here.code(at("a.py", 9, quote)) == 0
    assert "1 critical finding was set aside: it is not in the change (a.py:" in here.said.err


def test_html_is_read(made: Made) -> None:
    here = made()
    here.files(a_py="if a < b && c > d: f('x')\n")
    assert here.code(at("a.py", 1, "if a &lt; b &amp;&amp; c &gt; d: f(&#39;x&#x27;)")) == 1


def test_white_space_that_the_file_does_not_have(made: Made) -> None:
    here = made()
    here.files(a_py="f(a)\n")
    assert here.code(at("a.py", 1, "f( a)")) == 1


def test_line_0_is_the_file(made: Made) -> None:
    here = made()
    here.files(a_py="f(a)\n")
    assert here.code(at("a.py", 0, "f(a)")) == 1
    here = made(DIFF)
    here.files(a_py="f(a)\n" + "pass\n" * 9)
    here.branch()
    here.files(b_py="f(a)\n")
    commit(here.root)
    assert here.code(at("a.py", 0, "f(a)")) == 0
    here.files(a_py="f(a)\n" + "pass\n" * 9 + "g()\n")
    assert here.code(at("a.py", 0, "f(a)")) == 1


def test_what_nobody_sees_makes_no_difference(made: Made) -> None:
    here = made()
    here.files(a_py="evil(\u200bx)\nca\u0301(\u202e)\n")
    assert here.code(at("a.py", 1, "evil(x)")) == 1
    assert here.code(at("a.py", 2, "c\u00e1()")) == 1


ENCODED = {
    "koi8-r": b"# -*- coding: koi8-r -*-\nevil(\xc4\xc1)\n",
    "latin-1": "# vim: set fileencoding=latin-1 :\nevil('\u00e9')\n".encode("latin-1"),
    "utf-16": "\ufeffx\nevil(да)\n".encode("utf-16-le"),
    "utf-16-be": "\ufeffx\nevil(да)\n".encode("utf-16-be"),
    "utf-32": "\ufeffx\nevil(да)\n".encode("utf-32-le"),
    "utf-8-sig": "\ufeffevil(да)\n".encode(),
    "utf-7": b"# coding: utf-7\n+AGUAdgBpAGw(x)\n",
    "xml": '<?xml version="1.0" encoding="windows-1251"?>\n<a>evil(да)</a>\n'.encode("cp1251"),
    "html": '<html><meta charset="shift_jis">\nevil(日本)\n'.encode("shift_jis"),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_file_is_read_in_its_own_encoding(made: Made, encoding: str) -> None:
    here = made()
    here.files(a_py=ENCODED[encoding])
    quotes = {"latin-1": "evil('\u00e9')", "utf-7": "evil(x)", "html": "evil(日本)"}
    assert here.code(at("a.py", 2, quotes.get(encoding, "evil(да)"))) == 1


@pytest.mark.parametrize("evidence", ["required", "report", "warn"])
def test_what_is_in_no_known_encoding_is_never_not_there(made: Made, evidence: str) -> None:
    here = made(f'evidence = "{evidence}"')
    here.files(a_py=b"evil(\xc4\xc1)\n", b_py=b"# coding: rot13\nrivy(k)\n")
    assert here.code(at("a.py", 1, "evil(да)")) == (1 if evidence == "warn" else 3)
    assert here.code(at("b.py", 2, "evil(x)")) == (1 if evidence == "warn" else 3)
    assert here.code(at("a.py", 1, "evil(")) == 1  # what can be read counts


# --- the forms of paths

PATHS = {
    "as it is": "src/café.py",
    "a dot": "./src/café.py",
    "more slashes": "src//café.py",
    "blanks": " src/café.py\n",
    "b": "b/src/café.py",
    "+++": "+++ b/src/café.py",
    "octal": '"b/src/caf\\303\\251.py"',
    "octal without marks": "b/src/caf\\303\\251.py",
    "decomposed": "src/cafe\u0301.py",
    "invisible": "src/ca\u200bfé.py",
    "another case": "SRC/CAFÉ.PY",
    "line": "src/café.py:1",
    "line and column": "src/café.py:1:5",
    "lines": "src/café.py:1-3",
    "anchor": "src/café.py#L1",
    "anchors": "src/café.py#L1-L3",
    "parentheses": "src/café.py(1,5)",
    "words": "src/café.py, line 1",
    "backticks": "`src/café.py`",
    "backticks around a line": "`src/café.py:1`",
    "a link": "[src/café.py](src/café.py)",
    "percents": "src/caf%C3%A9.py",
    "a URL": "https://github.com/o/r/blob/0123abc/src/caf%C3%A9.py?plain=1#L1",
    "a file URL": "file:///src/caf%C3%A9.py",
    "entities": "src/caf&eacute;.py",
    "backslashes": "src\\café.py",
    "a drive": "C:\\work\\src\\café.py",
    "absolute": "{root}/src/café.py",
    "a container": "/app/src/café.py",
    "the name alone": "café.py",
    "down and up": "src/../src/café.py",
}


def test_a_path_is_read_as_people_and_tools_write_it(made: Made) -> None:
    here = made(DIFF)
    here.put("src/café.py", "a\n" + "pass\n" * 9)
    here.branch()
    here.put("src/café.py", "evil()\n" + "pass\n" * 9)
    paths = {form: path.replace("{root}", str(here.root)) for form, path in PATHS.items()}
    changed = {form: at(path, 1, "evil()") for form, path in paths.items()}
    assert here.standings(changed) == dict.fromkeys(PATHS, "blocks")
    assert here.said.code == 1
    left_alone = {form: at(path, 1, "pass") for form, path in paths.items()}
    unsure = {"the name alone": "undecided"}
    assert here.standings(left_alone) == dict.fromkeys(PATHS, "outside") | unsure
    assert here.said.code == 3
    assert here.code(*(it for form, it in left_alone.items() if form not in unsure)) == 0


def test_a_path_of_a_file_that_is_gone_is_read_so_too(made: Made) -> None:
    here = made(DIFF)
    here.put("src/café.py", "evil()\n")
    here.branch()
    (here.root / "src/café.py").unlink()
    for form in ("as it is", "octal", "decomposed", "another case", "lines", "a container", "the name alone"):
        assert here.code(at(PATHS[form], 1, "evil()")) == 1, form


def test_a_name_may_end_in_a_blank(made: Made) -> None:
    here = made()
    here.put("n.py ", "evil()\n")
    assert here.code(at("n.py ", 1, "evil()")) == 1
    here.put("n.py", "nothing\n")
    assert here.code(at("n.py ", 1, "evil()")) == 1
    assert here.code(at("n.py", 1, "evil()")) == 3


def test_a_name_may_look_like_another_with_a_line(made: Made) -> None:
    here = made(DIFF)
    here.files(a_py="evil()\n")
    here.branch()
    here.put("a.py:1", "evil()\n")
    commit(here.root)
    assert here.code(at("a.py:1", 1, "evil()")) == 1
    assert here.code(at("a.py", 1, "evil()")) == 0


def test_of_several_files_a_path_may_mean_one_in_the_change_is_enough(made: Made) -> None:
    here = made(DIFF)
    for name in ("b/x.py", "x.py", "one/y.py", "two/y.py"):
        here.put(name, "evil()\n" + "pass\n" * 9)
    here.branch()
    here.put("x.py", "\nevil ()\n" + "pass\n" * 9)
    here.put("two/y.py", "\nevil ()\n" + "pass\n" * 9)
    assert here.code(at("b/x.py", 1, "evil()")) == 1
    assert here.code(at("y.py", 1, "evil()")) == 1
    assert here.code(at("one/y.py", 1, "evil()")) == 0
    assert here.code(at("b/x.py", 1, "pass")) == 0


def test_a_path_into_a_submodule_is_no_file_of_that_name_elsewhere(made: Made, tmp_path: Path) -> None:
    here = made(DIFF)
    other = tmp_path / "other"
    other.mkdir()
    (other / "l.py").write_text("evil()\n")
    git(other, "init", "--quiet", "--initial-branch=main")
    commit(other)
    here.files(l_py="evil()\n")
    git(here.root, "init", "--quiet", "--initial-branch=main")
    git(here.root, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(other), "lib")
    here.branch()
    here.files(x_py="x\n")
    for path in ("lib/l.py", "b/lib/l.py"):
        assert here.code(at(path, 1, "evil()")) == 3
        assert "lies in a submodule" in here.said.err
    commit(here.root)
    git(here.root, "submodule", "deinit", "--quiet", "--force", "lib")
    assert here.code(at("lib/l.py", 1, "evil()")) == 3
    assert here.code(at("l.py", 1, "evil()")) == 0


# --- what is not found


@pytest.mark.parametrize(
    ("evidence", "code", "standing"),
    [("required", 3, "undecided"), ("report", 0, "unverified"), ("warn", 1, "blocks")],
)
def test_a_quote_that_is_nowhere(made: Made, evidence: str, code: int, standing: str) -> None:
    here = made(f'evidence = "{evidence}"')
    here.files(a_py="f(a)\n")
    for path in ("a.py", "b.py", "../a.py"):
        assert here.code(at(path, 1, "g(b)")) == code
        said = here.project.lok("run", "w", "--json").document["steps"]["s"]
        assert said["findings"][0]["standing"] == standing
    assert here.code(at("a.py", 1, "g(b)", severity="low")) == 0
    assert "set aside" not in here.said.err


def test_what_is_set_aside_is_said_last(made: Made) -> None:
    here = made('evidence = "report"\nmin_confidence = 0.5')
    here.files(a_py="f(a)\n")
    assert here.code(at("a.py", 1, "g(b)"), at("a.py", 1, "f(a)", confidence=0.4, severity="high")) == 0
    aside = [
        "1 critical finding was set aside: its quote is not in a.py",
        "1 high finding was set aside: its confidence is too low (a.py:1)",
    ]
    # below the step, and above nothing but the verdict
    assert here.said.err.splitlines()[-3:-1] == [f"    set aside: {line}" for line in aside]
    steps = here.project.lok("run", "w", "--json").document["steps"]
    assert steps["s"]["set_aside"] == aside
    assert here.code() == 0
    assert "set aside" not in here.said.err


# --- the baseline


def accepted(here: Change, *findings: dict[str, Any]) -> None:
    here.code(*findings)
    assert here.project.lok("baseline", "w").code == 0
    commit(here.root)
    git(here.root, "branch", "--force", "main")


def test_a_new_copy_of_accepted_code_is_new_wherever_it_stands(made: Made) -> None:
    lines = [f"line{n}" for n in range(1, 31)]
    lines[19] = "eval(x)"
    here = made('baseline = "new"')
    here.files(a_py="\n".join(lines))
    here.branch()
    accepted(here, at("a.py", 20, "eval(x)"))
    assert here.code(at("a.py", 20, "eval(x)")) == 0
    assert "1 critical finding was set aside: it is in the baseline (a.py:20)" in here.said.err
    moved = [*lines[:3], "eval(x)", *lines[3:19], *lines[20:]]
    here.files(a_py="\n".join(moved))
    assert here.code(at("a.py", 4, "eval(x)")) == 0
    for where in (5, 25):
        here.files(a_py="\n".join([*lines[:where], "eval(x)", *lines[where:]]))
        for said in (5, 20, 25):
            assert here.code(at("a.py", said, "eval(x)")) == 1


def test_as_many_copies_as_were_accepted_are_known(made: Made) -> None:
    here = made('baseline = "new"')
    here.files(a_py="eval(x)\ny\neval(x)\n")
    here.branch()
    accepted(here, at("a.py", 1, "eval(x)"))
    assert json.loads((here.root / ".lok/baseline.json").read_text())["findings"][0]["count"] == 2
    assert here.code(at("a.py", 3, "eval(x)")) == 0
    here.files(a_py="eval(x)\ny\neval(x)\nz\neval(x)\n")
    assert here.code(at("a.py", 1, "eval(x)")) == 1


# --- several backends


def test_the_spelling_of_a_rule_makes_no_difference(project: Project) -> None:
    def backends(*rules: str, quote: str = "evil()") -> str:
        answers = [json.dumps([{**at("a.py", 2, quote), **USUAL, "rule_id": rule}]) for rule in rules]
        return "\n".join(
            f"[backends.{name}]\ntype = 'scripted'\n[[backends.{name}.replies]]\nreply = '''{answer}'''"
            for name, answer in zip("ab", answers, strict=True)
        )

    project.write("a.py", "x\nevil()\n")
    step = '[[steps]]\nname = "s"\nprompt = "x"\nbackends = ["a", "b"]\noutput_format = "findings"\n'
    rules = '[rules.injection]\nseverity = "critical"\n'
    for above in ("", rules):
        project.workflow("w", f'{above}[gate]\nfail_on = "high"\nquorum = 2\n{step}')
        for other in ("Injection", "in-jection", "IN_JECTION ", "something else"):
            project.write("lok.toml", backends("injection", other))
            assert project.lok("run", "w").code == 1
        project.write("lok.toml", backends("injection", "other").replace('"line": 2', '"line": 1', 1))
        assert project.lok("run", "w").code == 1


USUAL = {"title": "t", "message": "m", "severity": "critical", "confidence": 1}


def test_too_few_reports_are_set_aside_and_told(project: Project) -> None:
    project.write("a.py", "x\nevil()\n")
    answer = json.dumps([{**at("a.py", 2, "evil()"), **USUAL, "rule_id": "r"}])
    project.write(
        "lok.toml",
        f"[backends.a]\ntype = 'scripted'\n[[backends.a.replies]]\nreply = '''{answer}'''\n"
        "[backends.b]\ntype = 'scripted'\n[[backends.b.replies]]\nreply = '[]'\n",
    )
    project.workflow(
        "w",
        '[gate]\nfail_on = "high"\nquorum = 2\n[[steps]]\nname = "s"\nprompt = "x"\nbackends = ["a", "b"]\n'
        'output_format = "findings"\n',
    )
    done = project.lok("run", "w")
    assert done.code == 0
    assert done.err.splitlines()[-2] == (
        "    set aside: 1 critical finding was set aside: too few report it (a.py:2)"
    )


# --- asked again


def asking(project: Project, findings: list[dict[str, Any]], second: str, above: str = "") -> tuple[int, Any]:
    """The exit code and the step, where the backend has a second word on what nobody finds."""
    answer = json.dumps([{**USUAL, "rule_id": "r", **finding} for finding in findings])
    project.write("a.py", "f(a)\ng(b)\n")
    project.write(
        "lok.toml",
        f"[backends.m]\ntype = 'scripted'\n[[backends.m.replies]]\nmatch = 'Look again'\nreply = '''{second}'''\n"
        f"[[backends.m.replies]]\nreply = '''{answer}'''\n",
    )
    project.workflow(
        "w",
        f'{above}[gate]\n[[steps]]\nname = "s"\nprompt = "x"\nbackend = "m"\noutput_format = "findings"\n',
    )
    done = project.lok("run", "w", "--json")
    return done.code, done.document["steps"]["s"]


def test_whoever_quotes_what_is_nowhere_may_correct_it(project: Project) -> None:
    place = '{"number": 1, "path": "a.py", "line": 2, "evidence": "g(b)"}'
    code, step = asking(project, [at("a.py", 1, "g(c)")], f"[{place}]")
    assert (code, step["usage"]["calls"], step["findings"][0]["line"]) == (1, 2, 2)
    again = place.replace("g(b)", "g(d)")
    assert asking(project, [at("a.py", 1, "g(c)")], f"[{again}]")[0] == 3


def test_a_finding_that_is_withdrawn_is_set_aside_and_told(project: Project) -> None:
    code, step = asking(project, [at("a.py", 1, "g(c)")], '[{"number": 1, "withdrawn": true}]')
    assert (code, step["findings"][0]["standing"]) == (0, "withdrawn")
    assert step["set_aside"] == ["1 critical finding was set aside: its backend withdrew it (a.py:1)"]


@pytest.mark.parametrize(
    "second",
    [
        '[{"number": 2, "withdrawn": true}]',
        '[{"number": 1, "withdrawn": true}, {"number": 2, "withdrawn": true}]',
        '[{"number": 1, "withdrawn": true}, {"number": 1, "path": "a.py", "line": 1, "evidence": "f(a)"}]',
        '[{"number": 1, "withdrawn": false}]',
        '[{"number": 1, "withdrawn": true, "severity": "low"}]',
        '[{"number": 1, "path": "a.py", "line": 1, "evidence": "f(a)", "severity": "low"}]',
        '[{"number": 0, "withdrawn": true}]',
        "[]",
        "I withdraw it.",
        'Yes: [{"number": 1, "withdrawn": true}]',
    ],
)
def test_only_what_was_asked_about_can_be_withdrawn(project: Project, second: str) -> None:
    code, step = asking(project, [at("a.py", 1, "g(c)")], second)
    assert (code, step["findings"][0]["standing"], step["usage"]["calls"]) == (3, "undecided", 2)
    (again,) = (it["text"] for it in step["sections"] if it["title"] == "m was asked again")
    assert again.endswith(second), "one section has what was said, and in words what is wrong with it"
    assert "{'" not in again


def test_the_others_stay_when_one_is_withdrawn(project: Project) -> None:
    said = [at("a.py", 1, "g(c)"), at("b.py", 1, "h(d)")]
    code, step = asking(project, said, '[{"number": 1, "withdrawn": true}]')
    assert (code, {it["path"]: it["standing"] for it in step["findings"]}) == (
        3,
        {"b.py": "undecided", "a.py": "withdrawn"},
    )


def test_nobody_is_asked_again_without_need_or_money(project: Project) -> None:
    withdrawn = '[{"number": 1, "withdrawn": true}]'
    for findings, code in (
        ([at("a.py", 1, "g(c)", severity="low")], 0),
        ([at("a.py", 1, "g(c)"), at("a.py", 1, "f(a)")], 1),
    ):
        result, step = asking(project, findings, withdrawn)
        assert (result, step["usage"]["calls"]) == (code, 1)
    code, step = asking(project, [at("a.py", 1, "g(c)")], withdrawn, above="[budget]\ncalls = 1\n")
    assert (code, step["findings"][0]["standing"]) == (3, "undecided")


# --- pytest


def test_pytest_says_what_is_set_aside_also_where_it_is_quiet(pytester: pytest.Pytester) -> None:
    finding = json.dumps([{**USUAL, "rule_id": "r", **at("a.py", 1, "g(b)")}])
    pytester.path.joinpath("a.py").write_text("f(a)\n")
    pytester.path.joinpath("f.json").write_text(finding)
    workflows = pytester.mkdir(".lok") / "workflows"
    workflows.mkdir()
    workflows.joinpath("w.toml").write_text(
        '[gate]\nevidence = "report"\n[[steps]]\nname = "s"\nargv = ["cat", "f.json"]\noutput_format = "findings"\n'
    )
    for options in (["-q"], ["-qq"], []):
        result = pytester.runpytest_inprocess("--lok", *options)
        result.stdout.fnmatch_lines(["s: 1 critical finding was set aside: its quote is not in a.py"])
        assert result.ret == 0
    pytester.runpytest_inprocess("--lok", "--junit-xml=report.xml")
    (case,) = ElementTree.parse(pytester.path / "report.xml").iter("testcase")
    facts = {fact.get("name"): fact.get("value") for fact in case.iter("property")}
    assert facts["lok.set_aside"] == "1 critical finding was set aside: its quote is not in a.py"
