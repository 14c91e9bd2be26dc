"""The workflows that ship, typed as lok's users type them, with a tool of a forge that answers as gh does."""

import json
import subprocess

import pytest

from tests.cli.projects import Project

SETTINGS = """
[defaults]
backend = "judge"
[backends.judge]
type = "scripted"
replies = [
    { match = "Which of its files", reply = '{"files": ["src/a.py"]}' },
    { match = "eval(", reply = '[{"rule_id": "RULE", "title": "<b>@ada</b> runs it", "message": "m", "severity": "critical", "confidence": 0.9, "path": "src/a.py", "line": 2, "evidence": "eval(x)"}]' },
    { match = "Fix this issue with", reply = '{"edits": [{"file": "src/a.py", "old": "x = 1", "new": "x = NEW"}], "summary": "s"}' },
    { match = "An empty list is a good answer", reply = "[]" },
    { regex = "(?s)(?P<all>.*)", reply = '\\g<all>' },
]
"""
GH = """#!/bin/sh
echo "$GH_REPO|$*" >> gh.log
case "$1 $2" in
"pr view")
  case "$*" in
  *comments*) if test -f gh.mine; then cat gh.mine; else
    echo '{"number": 12, "url": "https://github.com/octo/cat/pull/12", "comments": []}'; fi ;;
  *url,headRefOid) echo '{"number": 12, "url": "https://github.com/octo/cat/pull/12", "headRefOid": "c0ffee"}' ;;
  *statusCheckRollup*) echo '{"title": "Add x", "headRefOid": "c0ffee", "statusCheckRollup": [
    {"__typename": "CheckRun", "name": "test", "status": "COMPLETED", "conclusion": "FAILURE", "detailsUrl": "u1"},
    {"__typename": "StatusContext", "context": "lint", "state": "SUCCESS", "targetUrl": "u2"}]}' ;;
  *) echo '{"number": 12, "title": "Add x", "author": {"login": "ada"}, "body": "b", "baseRefName": "main",
    "headRefName": "add-x", "additions": 10, "deletions": 2, "changedFiles": 1}' ;;
  esac ;;
"pr diff") if test -f gh.diff; then cat gh.diff; else printf 'diff --git a/x b/x\\n--- a/x\\n+++ b/x\\n@@ -0,0 +1 @@\\n+x = 1\\n'; fi ;;
"pr comment") cat > gh.comment ;;
"api --hostname") cat > gh.comment; echo "$*" ;;
"issue view") echo '{"number": 4, "title": "It breaks", "state": "OPEN", "labels": [{"name": "bug"}], "body": "b", "comments": []}' ;;
"run list") echo '[{"databaseId": 7, "name": "test", "conclusion": "failure"},
  {"databaseId": 8, "name": "lint", "conclusion": "success"}]' ;;
"issue list") echo '[{"title": "Something else"}]' ;;
"issue create") cat >> gh.issue; echo "https://github.com/octo/cat/issues/77" ;;
"run view") echo "no such run" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def forge(project: Project) -> Project:
    project.write("lok.toml", SETTINGS)
    project.write("bin/gh", GH).chmod(0o755)
    project.environ["PATH"] = f"{project.root}/bin:{project.environ['PATH']}"
    return project


@pytest.fixture
def repository(forge: Project) -> Project:
    git(forge, "init", "-q", "-b", "trunk")
    forge.write("src/a.py", "x = 1\n")
    forge.write("other/b.py", "y = 2\n")
    git(forge, "add", "src", "other")
    # what the tests themselves need is no part of the project
    forge.write(".git/info/exclude", "lok.toml\nbin\ngh.*\nhome\n")
    return forge


def git(project: Project, *words: str) -> None:
    command = ("git", "-c", "user.name=a", "-c", "user.email=a@b", *words)
    subprocess.run(command, cwd=project.root, check=True, capture_output=True)


def test_what_a_pull_request_is_stands_above_its_review(forge: Project) -> None:
    done = forge.lok("pr", "12")
    assert done.code == 0
    for line in ("#12 Add x", "ada: add-x into main", "+10 -2 in 1 files"):
        assert line in done.out.splitlines()
    assert "1 of 1 file in 1 part" in done.out


@pytest.mark.parametrize(
    ("words", "repo", "number"),
    [
        (["12"], "", "12"),
        (["#12"], "", "12"),
        (["octo/cat#12"], " --repo=octo/cat", "12"),
        (["12", "--repo", "octo/cat"], " --repo=octo/cat", "12"),
        (["12", "-r", "octo/cat"], " --repo=octo/cat", "12"),
        (["https://github.com/octo/cat/pull/12"], " --repo=octo/cat", "12"),
        (["https://git.acme.org/octo/cat/pull/12"], " --repo=git.acme.org/octo/cat", "12"),
        (["add-x"], "", "add-x"),
    ],
)
def test_a_pull_request_is_named_in_every_way_that_lok_knows(
    forge: Project, words: list[str], repo: str, number: str
) -> None:
    assert forge.lok("pr", *words).code == 0
    calls = (forge.root / "gh.log").read_text().splitlines()
    asked = [f"pr view {number}", f"pr diff {number}"]
    # both are asked at once
    assert sorted(call.split("|")[1] for call in calls) == [
        f"{asked[1]}{repo} --color never",
        f"{asked[0]}{repo} --json number,title,author,body,baseRefName,headRefName,additions,deletions,changedFiles,"
        "url,state",
    ]


@pytest.mark.parametrize("said", ["{}", "no JSON", "[]", '{"number": null, "title": null}'])
def test_an_answer_in_a_form_that_nobody_knows_is_no_bug_and_no_review(forge: Project, said: str) -> None:
    forge.write("bin/gh", f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n").chmod(0o755)
    for words in (["pr", "12"], ["ci", "12"]):
        done = forge.lok(*words)
        assert done.code == 3, words
        assert "bug of lok" not in done.err


def test_ci_says_the_state_of_each_check_and_what_log_is_missing(forge: Project) -> None:
    done = forge.lok("ci", "12")
    assert done.code == 0
    assert "failure  test\nsuccess  lint" in done.out
    assert "== test\nits log could not be read: gh run view failed: no such run" in done.err + done.out


def test_fix_says_which_issue_also_in_a_dry_run(repository: Project) -> None:
    git(repository, "commit", "-q", "-m", "a")
    for words in (["fix", "4"], ["fix", "4", "--dry-run"]):
        done = repository.lok(*words)
        assert done.code == 0
        assert "#4 It breaks\nOPEN · bug" in done.out
        assert "Propose a fix for this issue." in done.out


@pytest.mark.parametrize(("new", "code", "left"), [("2", 0, "x = 2\n"), ("broken", 1, "x = 1\n")])
def test_fix_applied_is_verified_or_undone(repository: Project, new: str, code: int, left: str) -> None:
    git(repository, "commit", "-q", "-m", "a")
    repository.write("lok.toml", SETTINGS.replace("NEW", new))
    repository.write("pyproject.toml", "[tool.ruff]\n")
    repository.write(".venv/bin/ruff", "#!/bin/sh\ngrep -q 'x = 2' src/a.py\n").chmod(0o755)
    done = repository.lok("fix", "4", "--apply")
    assert (done.code, (repository.root / "src/a.py").read_text()) == (code, left)
    assert "Propose a fix" not in done.out


@pytest.mark.parametrize("words", [["pr", "12"], ["ci", "12"], ["fix", "4"]])
def test_without_gh_nothing_was_judged(project: Project, words: list[str]) -> None:
    project.write("lok.toml", SETTINGS)
    (project.root / "bin").mkdir()
    (project.root / "bin" / "sh").symlink_to("/bin/sh")
    project.environ["PATH"] = f"{project.root}/bin"
    done = project.lok(*words)
    assert done.code == 3
    assert "command not found: gh" in done.err
    assert "https://cli.github.com" in done.err


def test_without_a_repository_there_is_no_change_to_review(forge: Project) -> None:
    done = forge.lok("diff")
    assert done.code == 3
    assert "is not in a git repository" in done.err


def test_nothing_to_review_is_said_and_is_no_yes(repository: Project) -> None:
    assert repository.lok("diff").code == 0
    git(repository, "commit", "-q", "-m", "a")
    for words, said in (
        (["diff"], "nothing is staged"),
        (["diff", "--unstaged"], "nothing is uncommitted"),
        (["diff", "HEAD..HEAD"], "HEAD..HEAD changes nothing"),
        (["diff", "nope..HEAD"], "nope"),
        (["diff", "--", "--output=x"], "is no range of commits"),
        (["security-review", "staged"], "nothing is staged"),
    ):
        done = repository.lok(*words)
        assert (done.code, done.out) == (3, "")
        assert said in done.err
    assert not (repository.root / "x").exists()


@pytest.mark.parametrize("verb", ["hunt", "audit"])
def test_code_is_looked_at_with_and_without_git(forge: Project, verb: str) -> None:
    forge.write("src/a.py", "x = 1\n")
    forge.write("other/b.py", "y = 2\n")
    for _ in range(2):
        done = forge.lok(verb, "src", "--json")
        assert done.code == 0
        assert done.document["steps"]["parts"]["data"]["parts"] == [
            {"name": "src/a.py", "files": ["src/a.py"]}
        ]
        git(forge, "init", "-q")
    for where, why in ((forge.root.parent, "is outside of the project"), ("nope", "there is no 'nope'")):
        done = forge.lok(verb, where)
        assert done.code == 3
        assert why in done.err


@pytest.mark.parametrize("verb", ["hunt", "audit"])
def test_the_whole_of_a_project_is_asked_about_in_parts(repository: Project, verb: str) -> None:
    for number in range(7):
        repository.write(f"src/large{number}.py", f"x = {number}  # something\n" * 1_000)
    repository.write("logo.png", "\0PNG")
    repository.write("empty.py", "")
    repository.write("uv.lock", "lock\n")
    git(repository, "add", ".")
    done = repository.lok(verb)
    assert done.code == 0
    line = "9 of 12 files in 3 parts; 3 skipped: 1 empty, 1 binary, 1 lock file"
    assert line in done.out
    said = f"begins   {verb:<8}  0/3  3 questions, at most 9; [budget] allows 500"
    assert said in done.err, "before anything is paid for"
    assert done.err.index(said) < done.err.index(f"passed   {verb}")
    document = repository.lok(verb, "--json").document
    assert document["usage"]["calls"] == len(document["steps"]["parts"]["data"]["parts"]) == 3


@pytest.mark.parametrize("words", [["audit"], ["hunt"], ["diff"], ["security-review", "staged"]])
def test_a_serious_finding_is_red_wherever_it_stands(repository: Project, words: list[str]) -> None:
    rule = {"hunt": "error-handling", "diff": "security"}.get(words[0], "injection")
    settings = (repository.root / "lok.toml").read_text()
    repository.write("lok.toml", settings.replace("RULE", rule))
    git(repository, "branch", "-m", "main")
    git(repository, "commit", "-q", "-m", "a")
    repository.write("src/a.py", "x = 1\neval(x)\n")
    repository.write("src/z.py", "z = 1  # something\n" * 4_000)
    git(repository, "add", "src")
    done = repository.lok(*words, "--json")
    assert done.code == 1
    findings = [f for step in done.document["steps"].values() for f in step["findings"] or ()]
    assert [(it["rule_id"], it["path"], it["line"], it["blocking"]) for it in findings] == [
        (rule, "src/a.py", 2, True)
    ]


def test_what_cannot_be_read_leaves_no_ruling(repository: Project) -> None:
    repository.write("src/huge.py", "x = 1\n" * 100_000)
    git(repository, "add", "src")
    for words in (["audit"], ["hunt", "src"], ["diff"]):
        done = repository.lok(*words)
        assert done.code == 3, words
        assert "src/huge.py" in done.err


def test_a_change_in_any_bytes_is_text_for_a_question_and_harmless_in_a_log(repository: Project) -> None:
    git(repository, "commit", "-q", "-m", "a")
    (repository.root / "src/latin.txt").write_bytes(b"caf\xe9 \x1b[31m ##[error]x \x7f\n")
    git(repository, "add", "src")
    shown = repository.lok("parts", "--change", "staged").out
    assert json.loads(shown)["parts"][0]["text"].endswith("+caf\ufffd \x1b[31m ##[error]x \x7f\n")
    assert not any(mark in shown for mark in ("\x1b", "##", "\x7f"))
    assert repository.lok("diff").code == 0


def test_a_change_of_megabytes_is_asked_about_whole_or_leaves_no_ruling(repository: Project) -> None:
    git(repository, "commit", "-q", "-m", "a")
    for number in range(20):
        repository.write(f"src/large{number:02}.txt", f"é𝄞 {number}\n" * 12_000)
    repository.write("logo.png", "\0PNG")
    git(repository, "add", ".")
    done = repository.lok("diff", "--json", "-v")
    assert "begins   review    0/20" in done.err, "how much is asked is said before it is paid for"
    document = done.document
    parts = document["steps"]["change"]["data"]
    assert (done.code, parts["coverage"]) == (0, "20 of 21 files in 20 parts; 1 skipped: 1 binary")
    assert document["usage"]["calls"] == 20
    assert sum(part["text"].count("\n+é𝄞") for part in parts["parts"]) == 20 * 12_000
    text = repository.lok("workflow", "show", "diff").out.replace("calls = 200", "calls = 15")
    repository.workflow("diff", text)
    spent = repository.lok("diff", "--json")
    assert spent.code == 3
    assert spent.document["usage"]["calls"] == 15
    assert "budget" in spent.document["steps"]["review"]["reason"]


@pytest.mark.parametrize("verb", ["diff", "audit"])
@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("src/a.py", ""),
        ("src/a.py", "* binary"),
        ("src/a.py", "* -diff linguist-generated"),
        ("src/a.py", "* diff=x"),
    ],
)
def test_a_change_cannot_hide_its_code(repository: Project, verb: str, name: str, attributes: str) -> None:
    """Neither by a byte that makes it binary nor by what it says of itself in .gitattributes."""
    git(repository, "commit", "-q", "-m", "a")
    git(repository, "config", "diff.x.textconv", "true")
    git(repository, "config", "diff.relative", "true")
    repository.write("lok.toml", (repository.root / "lok.toml").read_text().replace("RULE", "lok/other"))
    repository.write(".gitattributes", f"{attributes}\n")
    repository.write(name, "x = 1\neval(x)\n" + ("" if attributes else "\0\n"))
    git(repository, "add", ".")
    done = repository.lok(verb)
    assert done.code == (1 if attributes else 3)
    assert "skipped" not in done.out


def test_a_new_file_is_part_of_a_branch_before_git_knows_it(repository: Project) -> None:
    git(repository, "branch", "-m", "main")
    git(repository, "commit", "-q", "-m", "a")
    repository.write("lok.toml", (repository.root / "lok.toml").read_text().replace("RULE", "injection"))
    repository.write("src/new file.py", "eval(x)\n")
    for words in (["security-review"], ["diff", "--unstaged"]):
        assert "1 of 1 file in 1 part" in repository.lok(*words).out


def test_a_new_repository_inside_of_a_branch_leaves_no_ruling(repository: Project) -> None:
    git(repository, "commit", "-q", "-m", "a")
    repository.write("src/a.py", "x = 2\n")
    repository.write("sub/s.py", "eval(x)\n")
    (repository.root / "link").symlink_to("/etc")
    git(repository, "init", "-q", "sub")
    git(repository, "-C", "sub", "add", ".")
    git(repository, "-C", "sub", "commit", "-q", "-m", "a")
    done = repository.lok("diff", "--unstaged")
    assert (done.code, "2 of 3 files in 1 part; 1 cannot be shown" in done.out) == (3, True)
    assert "sub cannot be shown: it is a repository of its own" in done.err


def test_a_change_of_pictures_alone_passes_only_where_the_workflow_says_so(repository: Project) -> None:
    git(repository, "commit", "-q", "-m", "a")
    repository.write("logo.png", "\0PNG")
    git(repository, "add", ".")
    done = repository.lok("diff")
    assert (done.code, "--allow-empty" in done.err) == (3, True)
    text = repository.lok("workflow", "show", "diff").out
    text = text.replace('"lok", "parts",', '"lok", "parts", "--allow-empty",')
    repository.workflow("diff", text)
    done = repository.lok("diff")
    assert (done.code, 'when = "steps.change.parts != []" skips the step instead' in done.err) == (3, True)
    said = text.replace("for_each =", 'when = "steps.change.output.parts != []"\nfor_each =')
    repository.workflow("diff", said)
    done = repository.lok("diff")
    assert (done.code, "1 skipped: 1 binary" in done.out) == (0, True), done.err
    repository.environ["CI"] = "1"
    assert repository.lok("diff").code == 3, "nothing was judged"
    repository.workflow("diff", f"allow_skip = true\n{said}")
    assert repository.lok("diff").code == 0
    del repository.environ["CI"]
    shown = repository.lok("parts", "--exclude", "src", "--exclude", "*.png", "--allow-empty").out
    assert "other/b.py" in shown
    assert "src/a.py" not in json.loads(shown)["parts"][0]["files"]


def test_a_branch_is_reviewed_since_it_left_the_default_branch(repository: Project) -> None:
    git(repository, "branch", "-m", "main")
    git(repository, "commit", "-q", "-m", "a")
    git(repository, "checkout", "-q", "-b", "work")
    assert "this branch changes nothing" in repository.lok("security-review").err
    repository.write("lok.toml", (repository.root / "lok.toml").read_text().replace("RULE", "injection"))
    repository.write("src/a.py", "x = 1\neval(x)\n")
    assert repository.lok("security-review").code == 1, "also what is not committed"
    git(repository, "commit", "-q", "-a", "-m", "b")
    assert repository.lok("security-review").code == 1
    assert repository.lok("security-review", "main..HEAD").code == 1


class TestReviewPr:
    DIFF = (
        "diff --git a/src/a.py b/src/a.py\n--- a/src/a.py\n+++ b/src/a.py\n@@ -1 +1,2 @@\n x = 1\n+eval(x)\n"
    )

    def test_its_comment_says_what_was_found_and_the_run_is_red(self, forge: Project) -> None:
        forge.write("lok.toml", (forge.root / "lok.toml").read_text().replace("RULE", "security"))
        forge.write("gh.diff", self.DIFF)
        assert forge.lok("run", "review-pr", "45").code == 1
        comment = (forge.root / "gh.comment").read_text()
        assert comment.startswith("<!-- lok review-pr -->\n**Review: failed**")
        assert "- **critical** security in `src/a.py`, line 2: &lt;b>@&#8203;ada&lt;/b> runs it" in comment
        assert "1 of 1 file in 1 part" in comment
        assert "|pr comment 12 --body-file -" in (forge.root / "gh.log").read_text()

    def test_the_comment_of_an_earlier_run_is_updated(self, forge: Project) -> None:
        mine = {
            "body": "<!-- lok review-pr -->\nold",
            "viewerDidAuthor": True,
            "url": "https://x/pull/45#issuecomment-99",
        }
        forged = {**mine, "viewerDidAuthor": False, "url": "https://x/pull/45#issuecomment-66"}
        said = {"number": 45, "url": "https://github.com/octo/cat/pull/45", "comments": [mine, forged]}
        forge.write("gh.mine", json.dumps(said))
        done = forge.lok("review-pr", "octo/cat#45")
        assert done.code == 0
        assert "Nothing was found." in (forge.root / "gh.comment").read_text()
        log = (forge.root / "gh.log").read_text()
        assert "|api --hostname github.com --method PATCH repos/octo/cat/issues/comments/99 --input -" in log
        assert json.loads((forge.root / "gh.comment").read_text())["body"].startswith(
            "<!-- lok review-pr -->"
        )
        assert "pr comment" not in log

    def test_a_review_that_is_not_whole_says_so(self, forge: Project) -> None:
        forge.write("lok.toml", SETTINGS.replace('reply = "[]"', 'error = "overload"'))
        assert forge.lok("review-pr", "45").code == 3
        comment = (forge.root / "gh.comment").read_text()
        assert "The review is not whole, so it says neither yes nor no." in comment
        assert "Nothing was found" not in comment


def test_code_is_explained_without_git_too(forge: Project) -> None:
    forge.write("src/a.py", "x = 1\n")
    forge.write(".hidden/b.py", "y = 1\n")
    for words, shown in (("explain",), "src/a.py"), (("explain", "src"), "a.py"):
        done = forge.lok(*words)
        assert done.code == 0, done.err
        assert shown in done.out
        assert "hidden" not in done.out
    (forge.root / "empty").mkdir()
    done = forge.lok("explain", "empty")
    assert done.code == 3
    assert "there are no files to explain in empty" in done.err


def test_explain_takes_a_directory_and_a_focus(repository: Project) -> None:
    repository.write("src/README.md", "What src is\n")
    done = repository.lok("explain", ".")
    assert done.code == 0
    assert "above all" not in done.out
    assert "other/b.py" in done.out
    done = repository.lok("explain", "src", "-f", "auth")
    assert "above all: auth" in done.out
    assert "What src is" in done.out
    assert "other/b.py" not in done.out
    done = repository.lok("explain", "auth")
    assert done.code == 3
    assert "there is no directory auth here: a subject is explained by --focus" in done.err
    assert json.loads(repository.lok("explain", "src", "--json").out)["outcome"] == "passed"


def test_a_merge_request_is_read_by_glab(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    said = {"iid": 12, "title": "Add x", "description": "d", "state": "opened", "author": {"username": "ada"},
            "source_branch": "add-x", "target_branch": "main", "sha": "c", "changes_count": "1",
            "web_url": "https://gitlab.acme.org/g/p/-/merge_requests/12"}  # fmt: skip
    project.write("view.json", json.dumps(said))
    project.write(
        "bin/glab",
        """#!/bin/sh
echo "$*" >> glab.log
case "$1 $2" in "mr view") cat view.json ;; "mr diff") printf 'diff --git a/x b/x\\n--- a/x\\n+++ b/x\\n@@ -0,0 +1 @@\\n+x = 1\\n' ;; esac
""",
    ).chmod(0o755)
    project.environ["PATH"] = f"{project.root}/bin:{project.environ['PATH']}"
    for words in (
        ["https://gitlab.acme.org/g/p/-/merge_requests/12"],
        ["g/p!12"],
        ["12", "--forge", "gitlab"],
    ):
        done = project.lok("pr", *words)
        assert done.code == 0, done.err
        assert "ada: add-x into main\n1 files" in done.out
    log = (project.root / "glab.log").read_text()
    assert "mr diff 12 --repo=https://gitlab.acme.org/g/p --raw --color never" in log


def test_issues_of_a_hunt_are_opened_only_if_that_is_confirmed(repository: Project) -> None:
    settings = (repository.root / "lok.toml").read_text()
    repository.write("lok.toml", settings.replace("RULE", "error-handling"))
    repository.write("src/a.py", "x = 1\neval(x)\n")
    git(repository, "add", "src")
    shown = repository.lok("hunt", ".", "--issues")
    assert (shown.code, "would open: <b>@ada</b> runs it" in shown.out) == (1, True)
    assert not (repository.root / "gh.issue").exists()
    done = repository.lok("hunt", ".", "--issues", "-y", "--issue-backend", "github")
    assert (done.code, "https://github.com/octo/cat/issues/77" in done.out) == (1, True)
    assert "eval(x)" in (repository.root / "gh.issue").read_text()
    opened = next(line for line in (repository.root / "gh.log").read_text().splitlines() if "create" in line)
    assert "--label" not in opened, "a repository need not have that label"


def test_ci_of_a_merge_request_is_read_by_glab(project: Project) -> None:
    project.write("lok.toml", SETTINGS)
    said = {"iid": 12, "project_id": 5, "title": "Add x", "sha": "c", "source_branch": "a", "target_branch": "b",
            "web_url": "https://gitlab.com/g/p/-/merge_requests/12", "author": {"username": "ada"},
            "head_pipeline": {"id": 3}}  # fmt: skip
    project.write("view.json", json.dumps(said))
    jobs = [{"id": 9, "name": "test", "status": "failed", "web_url": "u", "allow_failure": False},
            {"id": 8, "name": "lint", "status": "success", "web_url": "u", "allow_failure": False}]  # fmt: skip
    project.write("jobs.json", json.dumps(jobs))
    project.write(
        "bin/glab",
        """#!/bin/sh
case "$*" in
"mr view"*) cat view.json ;;
*trace*) echo "AssertionError: 1 != 2" ;;
*jobs*) cat jobs.json ;;
*) echo '[]' ;;
esac
""",
    ).chmod(0o755)
    project.environ["PATH"] = f"{project.root}/bin:{project.environ['PATH']}"
    done = project.lok("ci", "12", "--forge", "gitlab")
    assert done.code == 0, done.err
    assert "failure  test\nsuccess  lint" in done.out
    assert "AssertionError: 1 != 2" in done.out
