from __future__ import annotations

import pytest

from pytest_lok.core.shell.effects import has_effects

PUSHES = [
    "git push",
    "git push origin HEAD",
    "git -C sub -c a=b push --force",
    "cd x && git push; true",
    "timeout 60 git push",
    "env GIT_SSH=x git push",
    "sudo -u me git push",
    "sh -c 'git push'",
    "timeout 9 bash -c 'cd x; git push'",
    "if git diff --quiet; then git push; fi",
    "echo $(git push 2>&1)",
    "f() { git push; }; f",
    "/usr/bin/git push",
    "git \\\n push",
    "ls | xargs gh issue close",
    "gh pr comment 12 --body {{ steps.x.output }}",
    "gh pr create --title x",
    "gh issue edit 3",
    "glab mr note 12 -m x",
    "gh api -X POST repos/o/r/issues",
    "gh api repos/o/r/issues -f title=x",
    "gh api graphql --input -",
    # what no reader of shell texts is sure of
    "coproc git push origin",
    "cat <(gh release delete x)",
]
READS = [
    "git fetch",
    "git status",
    "git log --grep=push",
    "echo gh pr comment",
    "echo push",
    "grep push *.py",
    "gh pr view 12",
    "gh pr diff {{ arg.1 }}",
    "gh issue list --label bug",
    "gh pr checks 12 --watch",
    "gh api repos/o/r/pulls/1",
    "gh auth status",
    "gh --version",
    "glab mr diff 12",
    "highlight push",
    "cat <(echo x)",
    "true",
]


@pytest.mark.parametrize("text", PUSHES)
def test_what_pushes_or_posts_has_effects(text: str) -> None:
    assert has_effects(text, ())


@pytest.mark.parametrize("text", READS)
def test_what_only_reads_has_none(text: str) -> None:
    assert not has_effects(text, ())


def test_a_command_without_a_shell_is_read_alike() -> None:
    assert has_effects("", ["git", "push"])
    assert has_effects("", ["sh", "-c", "cd x; git push"])
    assert has_effects("", ["gh", "pr", "comment", "{{ arg.1 }}"])
    assert not has_effects("", ["gh", "pr", "view"])
    assert not has_effects("", ["echo", "git push"])
    assert not has_effects("", ["printf", "gh", "pr", "comment"])
