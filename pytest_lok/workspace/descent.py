"""A commit that was reviewed -> whether HEAD goes on from it, and whether the files are those of HEAD."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from pytest_lok.workspace.plumbing import git_text


def is_as_committed(root: Path, environ: Mapping[str, str]) -> bool:
    """Whether the work tree holds the files of HEAD and no others, but for those that git ignores."""
    words = ("status", "--porcelain", "-z", "--untracked-files=all", "--ignore-submodules=none")
    return git_text(root, environ, *words) == ""


def not_after(root: Path, environ: Mapping[str, str], commit: str) -> str:
    """Why HEAD does not go on from this commit with other files; "" if it does. StepUnableError from git."""
    git = functools.partial(git_text, root, environ)
    known = git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", ok_codes=(0, 1, 128)) or ""
    if known.strip() != commit:
        return f"{commit[:12]}, which was reviewed, is not in this clone"
    common = git("merge-base", commit, "HEAD", ok_codes=(0, 1)) or ""
    if common.split()[:1] != [commit]:
        return f"{commit[:12]}, which was reviewed, is no ancestor of HEAD: history was rewritten"
    trees = git("rev-parse", f"{commit}^{{tree}}", "HEAD^{tree}") or ""
    return f"no file is another than in {commit[:12]}" if len(set(trees.split())) == 1 else ""
