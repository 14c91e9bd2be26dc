"""The base of a comparison cannot be chosen by the change.

Exit 0 is green, 1 blocked, 3 no ruling.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.projects import Done, Project
from tests.field.repositories import Change, standing


@pytest.fixture
def change(project: Project) -> Change:
    """``a.py`` is evil on the branch, ``b.py`` as it always was."""
    change = Change(project).begin({"a.py": "a\n", "b.py": "b\n"})
    change.write({"a.py": "evil()\n"})
    change.commit()
    return change


@pytest.fixture
def clone(change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    """The same where CI has it: main is at the remote, the branch is checked out."""
    change.git("clone", "-q", "--no-single-branch", ".", tmp_path / "clone", "-b", "feature")
    change.root = change.project.root = tmp_path / "clone"
    monkeypatch.chdir(change.root)
    return change


def evil(change: Change, **environ: str) -> Done:
    return change.judged("a.py", 1, "evil()", **environ)


def old(change: Change, **environ: str) -> tuple[int, str]:
    done = change.judged("b.py", 1, "b", **environ)
    return done.code, standing(done)


class TestNames:
    """What stands for the base by another kind of name than a branch's never wins."""

    @pytest.mark.parametrize(
        "ref",
        [
            "refs/tags/main", "refs/tags/origin/main", "refs/heads/origin/main", "refs/heads/main", "refs/main",
            "refs/tags/refs/remotes/origin/main", "refs/heads/refs/remotes/origin/main",
            "refs/remotes/main", "refs/remotes/main/HEAD",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("environ", [{"GITHUB_BASE_REF": "main"}, {"LOK_BASE": "main"}])
    def test_only_the_branch_of_the_remote_counts(
        self, clone: Change, ref: str, environ: dict[str, str]
    ) -> None:
        clone.git("update-ref", ref, "HEAD")
        assert evil(clone, **environ).code == 1
        assert old(clone, **environ) == (0, "outside")

    @pytest.mark.parametrize(
        "ref", ["refs/tags/main", "refs/heads/heads/main", "refs/remotes/main", "refs/remotes/origin/main/x"]
    )
    def test_without_a_remote_only_the_branch_counts(self, change: Change, ref: str) -> None:
        change.git("update-ref", ref, "HEAD")
        assert evil(change).code == 1
        assert old(change) == (0, "outside")

    @pytest.mark.parametrize("base", ["gone", "v1", "feature^{/x}", "main@{0}", ":/x", "", "mai"])
    def test_a_name_that_no_branch_has_is_no_base(self, change: Change, base: str) -> None:
        change.git("tag", "v1", "HEAD")
        change.git("branch", "-m", "main", "trunk")
        done = evil(change, LOK_BASE=base)
        assert (done.code, standing(done)) == (3, "undecided")

    def test_a_tag_counts_where_it_is_said_to_be_one(self, change: Change) -> None:
        change.git("tag", "-m", "annotated", "v1", "main")
        done = evil(change, LOK_BASE="v1")
        assert done.code == 3
        assert "LOK_BASE=refs/tags/v1" in done.out
        assert evil(change, LOK_BASE="refs/tags/v1").code == 1
        assert old(change, LOK_BASE="refs/tags/v1") == (0, "outside")

    def test_what_means_two_commits_means_none(self, clone: Change) -> None:
        clone.git("update-ref", "refs/remotes/origin/origin/main", "HEAD")
        done = evil(clone, LOK_BASE="origin/main")
        assert done.code == 3
        assert "refs/remotes/origin/origin/main and refs/remotes/origin/main, which differ" in done.out
        assert evil(clone, LOK_BASE="refs/remotes/origin/main").code == 1

    @pytest.mark.parametrize("path", ["b/a.py", "`a.py`", "A.py"])
    def test_files_are_found_where_there_is_no_base(self, project: Project, path: str) -> None:
        change = Change(project).begin({"a.py": "evil()\n"}, 'scope = "all"')
        change.git("branch", "-m", "main", "trunk")
        assert change.judged(path, 1, "evil()").code == 1

    def test_whole_ids_and_ways_from_there_are_bases(self, change: Change) -> None:
        base = change.git("rev-parse", "main")
        for said in (base, "HEAD~1", "feature^", "refs/heads/feature~", f"{base}^0"):
            assert evil(change, LOK_BASE=said).code == 1
            assert old(change, LOK_BASE=said) == (0, "outside")
        assert evil(change, LOK_BASE=base[:12]).code == 3
        assert evil(change, LOK_BASE="0" * 40).code == 3

    def test_the_accepted_findings_come_from_the_same_base(self, change: Change) -> None:
        change.project.workflow(
            "w",
            (change.root / ".lok/workflows/w.toml").read_text().replace('scope = "diff"', 'baseline = "new"'),
        )
        evil(change)
        assert change.project.lok("baseline", "w").code == 0
        change.commit()
        change.git("tag", "main")
        assert evil(change).code == 1
        assert evil(change, LOK_BASE="HEAD").code == 0


class TestForks:
    def test_what_a_fork_holds_is_no_base_by_itself(self, clone: Change) -> None:
        clone.git("remote", "set-head", "origin", "main")
        main = clone.git("rev-parse", "origin/main")
        clone.git("update-ref", "refs/remotes/upstream/main", main)
        assert evil(clone).code == 1  # they are the same
        assert old(clone) == (0, "outside")
        clone.write({"b.py": "b\n# more\n"})
        clone.commit()
        clone.git("update-ref", "refs/remotes/origin/main", "HEAD~1")  # evil() is at the fork by now
        done = evil(clone)
        assert (done.code, standing(done)) == (3, "undecided")
        assert "LOK_BASE=refs/remotes/upstream/main" in done.out
        assert evil(clone, LOK_BASE="upstream/main").code == 1
        assert evil(clone, LOK_BASE="origin/main").code == 0  # who says it means it


class TestItself:
    def test_nothing_is_outside_of_what_is_compared_with_itself(self, change: Change) -> None:
        done = evil(change, LOK_BASE="HEAD")
        assert (done.code, standing(done)) == (3, "undecided")
        assert "the base is what is judged" in done.out
        assert "LOK_BASE" in done.out
        assert evil(change, LOK_BASE="feature").code == 3

    def test_what_is_not_committed_is_a_change_of_its_own(self, change: Change) -> None:
        change.write({"c.py": "c\n"})
        assert old(change, LOK_BASE="HEAD")[0] == 3  # a file that git does not know may be anything
        change.git("add", "c.py")
        assert old(change, LOK_BASE="HEAD") == (0, "outside")
        change.git("rm", "-q", "--cached", "c.py")
        change.write({"a.py": "worse()\n"})
        assert old(change, LOK_BASE="HEAD") == (0, "outside")
        assert change.judged("a.py", 1, "worse()", LOK_BASE="HEAD").code == 1

    def test_in_ci_what_lies_around_is_no_change(self, change: Change) -> None:
        change.write({"b.py": "b\nmade by a build\n"})
        assert old(change, LOK_BASE="HEAD", CI="true") == (3, "undecided")

    def test_a_file_whose_time_alone_is_new_is_no_change(self, change: Change) -> None:
        (change.root / "b.py").touch()
        assert old(change, LOK_BASE="HEAD") == (3, "undecided")


class TestPushes:
    def pushed(self, change: Change, **payload: object) -> dict[str, str]:
        event = change.root.parent / "event.json"
        event.write_text(json.dumps(payload))
        return {"CI": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(event)}

    def onto_main(self, change: Change) -> str:
        """CI has the branch after the push; the commit before it is told."""
        before = change.git("rev-parse", "main")
        change.git("checkout", "-q", "-B", "main")
        return before

    @pytest.mark.parametrize(
        "more", [{}, {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}]
    )
    def test_what_was_there_before_is_the_base(self, change: Change, more: dict[str, object]) -> None:
        environ = self.pushed(change, before=self.onto_main(change), **more)
        assert evil(change, **environ).code == 1
        assert old(change, **environ) == (0, "outside")

    def test_gitlab_tells_it_too(self, change: Change) -> None:
        environ = {"CI": "true", "CI_COMMIT_BEFORE_SHA": self.onto_main(change)}
        assert evil(change, **environ).code == 1
        assert old(change, **environ) == (0, "outside")

    def test_a_queue_of_merges_tells_its_base(self, change: Change) -> None:
        environ = self.pushed(change, merge_group={"base_sha": self.onto_main(change)})
        environ["GITHUB_EVENT_NAME"] = "merge_group"
        assert evil(change, **environ).code == 1
        assert old(change, **environ) == (0, "outside")

    def test_a_new_branch_is_compared_with_the_default_one(self, change: Change) -> None:
        environ = self.pushed(
            change, before="0" * 40, ref="refs/heads/feature", repository={"default_branch": "main"}
        )
        assert evil(change, **environ).code == 1
        assert old(change, **environ) == (0, "outside")
        gitlab = {"CI": "true", "CI_COMMIT_BEFORE_SHA": "0" * 40, "CI_DEFAULT_BRANCH": "main"}
        assert evil(change, **gitlab).code == 1

    def test_a_second_push_does_not_hide_the_first(self, change: Change) -> None:
        before = change.git("rev-parse", "HEAD")
        change.write({"b.py": "b\nharmless\n"})
        change.commit()
        environ = self.pushed(
            change, before=before, ref="refs/heads/feature", repository={"default_branch": "main"}
        )
        assert evil(change, **environ).code == 1
        assert old(change, **environ) == (0, "outside")

    @pytest.mark.parametrize(
        "payload", ["", "[]", "{", '{"before": "main"}', '{"before": 7}', '{"before": {}}']
    )
    def test_an_event_that_does_not_tell_leaves_no_ruling(self, change: Change, payload: str) -> None:
        environ = self.pushed(change)
        Path(environ["GITHUB_EVENT_PATH"]).write_text(payload)
        assert evil(change, **environ).code == 3

    def test_a_commit_that_was_not_fetched_leaves_no_ruling(self, change: Change) -> None:
        done = evil(change, **self.pushed(change, before="1" * 40))
        assert done.code == 3
        assert "fetch-depth: 0" in done.out


class TestHistories:
    """What may be told about commits beside themselves."""

    def test_a_replaced_commit_is_not_looked_at(self, change: Change) -> None:
        head, main = change.git("rev-parse", "HEAD"), change.git("rev-parse", "main")
        change.git("replace", main, head)
        assert evil(change).code == 1

    def test_grafts_are_not_looked_at(self, change: Change) -> None:
        change.git("checkout", "-q", "main")
        change.write({"b.py": "b\nmore\n"})
        main = change.commit()
        change.git("checkout", "-q", "feature")
        head = change.git("rev-parse", "HEAD")
        change.write({".git/info/grafts": f"{main} {head}\n"})
        assert evil(change).code == 1

    def test_a_shallow_clone_has_no_base(self, change: Change, tmp_path: Path) -> None:
        change.git("clone", "-q", "--depth=1", f"file://{change.root}", tmp_path / "shallow", "-b", "feature")
        change.root = change.project.root = tmp_path / "shallow"
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(change.root)
            done = evil(change, GITHUB_BASE_REF="main")
        assert done.code == 3
        assert "fetch-depth: 0" in done.out

    def test_what_a_partial_clone_lacks_is_not_fetched(
        self, change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change.git("config", "uploadpack.allowFilter", "true")
        change.git("config", "uploadpack.allowAnySHA1InWant", "true")
        change.git(
            "clone", "-q", "--filter=blob:none", f"file://{change.root}", tmp_path / "p", "-b", "feature"
        )
        change.root = change.project.root = tmp_path / "p"
        monkeypatch.chdir(change.root)
        assert old(change, LOK_BASE="origin/main") == (0, "outside")  # that blob is in the checkout too
        done = evil(change, LOK_BASE="origin/main")
        assert (done.code, standing(done)) == (3, "undecided")
        missing = change.git("rev-parse", "origin/main:a.py")
        listed = change.git("rev-list", "--objects", "--all", "--missing=print")
        assert f"?{missing}" in listed

    def test_a_work_tree_that_is_elsewhere_has_no_base(self, change: Change, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        change.git("config", "core.worktree", tmp_path / "elsewhere")
        done = evil(change)
        assert done.code == 3
        assert "the work tree of this repository is not at" in done.out

    @pytest.mark.parametrize("options", [["--object-format=sha256"], ["--object-format=sha1"]])
    def test_other_formats_of_repositories(self, project: Project, options: list[str]) -> None:
        change = Change(project)
        change.git("init", "-q", "-b", "main", *options)
        change.begin({"a.py": "a\n", "b.py": "b\n"})
        change.write({"a.py": "evil()\n"})
        change.commit()
        assert evil(change).code == 1
        assert old(change) == (0, "outside")
        assert old(change, LOK_BASE=change.git("rev-parse", "main")) == (0, "outside")
        assert evil(change, LOK_BASE="1" * 40).code == 3

    def test_a_linked_work_tree(
        self, change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change.git("checkout", "-q", "main")
        change.git("worktree", "add", "-q", tmp_path / "linked", "feature")
        change.root = change.project.root = tmp_path / "linked"
        monkeypatch.chdir(change.root)
        assert evil(change).code == 1
        assert old(change) == (0, "outside")
