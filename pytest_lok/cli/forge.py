"""``lok forge``: pull requests, issues and checks of GitHub and GitLab in one form, for workflows."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from pytest_lok.cli.invocation import Invocation
from pytest_lok.cli.options import COMMON_OPTIONS, OptionsCommand
from pytest_lok.errors import LokError, UsageError

if TYPE_CHECKING:
    from pytest_lok.workspace.forges.github import GitHub, RunTool
    from pytest_lok.workspace.forges.gitlab import GitLab
    from pytest_lok.workspace.forges.reference import Reference
    from pytest_lok.workspace.forges.review import ReviewForge

P = ParamSpec("P")

_ADDRESSES = {"gh": "https://cli.github.com", "glab": "https://gitlab.com/gitlab-org/cli"}
_LOG_CHARS = 20_000
_MOST_LOGS = 10


def known_answers(callback: Callable[P, int]) -> Callable[P, int]:
    """The callback; LokError where a tool's answer has not the fields that it is known to have."""

    @functools.wraps(callback)
    def checked(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return callback(*args, **kwargs)
        except (AttributeError, KeyError, TypeError, ValueError) as unknown:
            what = f"{type(unknown).__name__}: {unknown}"
            raise LokError(
                f"gh or glab answers in a form that lok does not know ({what})", hint="update it"
            ) from unknown

    return checked


def _pull_request(ref: str, repo: str, forge: str) -> int:
    return _deliver(_forge(ref, repo, forge).pull_request())


def _diff(ref: str, repo: str, forge: str) -> int:
    return _say("diff", _forge(ref, repo, forge).diff())


def _issue(ref: str, repo: str, forge: str) -> int:
    return _deliver(_forge(ref, repo, forge).issue())


def _checks(ref: str, repo: str, forge: str) -> int:
    return _deliver(_forge(ref, repo, forge).checks())


def _logs(ref: str, repo: str, forge: str) -> int:
    texts = []
    jobs = _forge(ref, repo, forge).failed_jobs()
    for name, fetch in jobs[:_MOST_LOGS]:
        try:
            log = fetch()[-_LOG_CHARS:]
        except LokError as missing:
            log = f"its log could not be read: {missing.message}"
        texts.append(f"== {name}\n{log}")
    if len(jobs) > _MOST_LOGS:
        texts.append(f"== {len(jobs) - _MOST_LOGS} more failed, and their logs are not shown")
    return _say("logs", "\n\n".join(texts) or "no log of a failed check was found")


def _comment(ref: str, repo: str, forge: str, marker: str) -> int:
    text = sys.stdin.read() if sys.stdin is not None else ""
    if not text.strip():
        raise LokError("there is nothing to comment: standard input is empty")
    sign = f"<!-- {marker} -->"
    where = _forge(ref, repo, forge).comment(sign, f"{sign}\n{text.strip()}\n")
    return _say("comment", where)


def _file_issues(repo: str, forge: str, yes: bool) -> int:
    from pytest_lok.workspace.forges.issues import drafts

    call = Invocation.of(click.get_current_context())
    # the number is of no importance: the repository is what is meant
    there = _forge("1", repo, forge)
    known = there.issues()
    new, old = drafts(sys.stdin.read() if sys.stdin is not None else "", known)
    for title in old:
        call.terminal.note(f"is there already: {title}")
    urls = [there.create_issue(draft.title, draft.text) for draft in new] if yes else []
    if call.json:
        titles = [draft.title for draft in new]
        call.deliver_document({"opened": urls, "new": titles, "known": list(old)})
        return 0
    if not yes:
        shown = "\n".join(f"would open: {draft.title}" for draft in new) or "there is nothing to open"
        call.deliver(f"{shown}\n--yes opens them" if new else shown)
        return 0
    call.deliver("\n".join(urls) or "nothing new to open")
    return 0


def _say(name: str, text: str) -> int:
    call = Invocation.of(click.get_current_context())
    if call.json:
        call.deliver_document({name: text})
    else:
        call.deliver(text)
    return 0


def _deliver(document: object) -> int:
    Invocation.of(click.get_current_context()).deliver(json.dumps(document, indent=2))
    return 0


def _forge(text: str, repo: str, forge: str) -> GitHub | GitLab:
    call = Invocation.of(click.get_current_context())
    return forge_at(call.options.directory or Path.cwd(), call.environ, text, repo, forge)


def forge_at(
    root: Path, environ: Mapping[str, str], text: str, repo: str = "", forge: str = "auto"
) -> GitHub | GitLab:
    """The forge that a reference means for the repository at ``root``; UsageError if it is no reference."""
    from pytest_lok.workspace.forges.github import GitHub
    from pytest_lok.workspace.forges.gitlab import GitLab

    ref, run = _tools_at(root, environ, text, repo, forge)
    return GitHub(ref, run) if ref.forge == "github" else GitLab(ref, run)


def review_at(
    root: Path, environ: Mapping[str, str], text: str, repo: str = "", forge: str = "auto"
) -> ReviewForge:
    """The same, to comment on a pull request, which has a number: a branch may have several, or none."""
    from pytest_lok.workspace.forges.github_review import GitHubReview
    from pytest_lok.workspace.forges.gitlab_review import GitLabReview

    ref, run = _tools_at(root, environ, text, repo, forge)
    if not ref.name.isdecimal():
        hint = "give its number, OWNER/REPO#12, GROUP/REPO!12 or its URL"
        raise UsageError(f"{text!r} is no number of a pull request", hint=hint)
    return GitHubReview(ref, run) if ref.forge == "github" else GitLabReview(ref, run)


def _tools_at(
    root: Path, environ: Mapping[str, str], text: str, repo: str, forge: str
) -> tuple[Reference, RunTool]:
    from pytest_lok.workspace.forges.reference import parse_reference

    chosen = {"gh": "github", "glab": "gitlab"}.get(forge, forge)
    ref = parse_reference(
        text,
        origin=_origin(root, environ),
        repo=repo,
        forge=None if chosen == "auto" else chosen,  # type: ignore[arg-type]  # click has checked it
    )

    def run(words: Sequence[str], stdin: str) -> str:
        return run_tool(root, environ, words, stdin)

    return ref, run


def run_tool(root: Path, environ: Mapping[str, str], words: Sequence[str], stdin: str) -> str:
    """What a tool prints, without a shell; LokError if it is missing, fails, or prints no text."""
    tool = words[0]
    try:
        done = subprocess.run(
            words, cwd=root, env=environ, input=stdin.encode(), capture_output=True, check=False
        )
    except FileNotFoundError:
        raise LokError(f"command not found: {tool}", hint=f"install it: {_ADDRESSES[tool]}") from None
    except OSError as failure:
        raise LokError(f"{tool} cannot be used: {failure}") from failure
    # no line break is translated: what a carriage return is, the reader of the text decides
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    if done.returncode:
        said = err.strip() or out.strip() or f"exit code {done.returncode}"
        raise LokError(f"{' '.join(words[:3])} failed: {said}")
    return out


def _origin(root: Path, environ: Mapping[str, str]) -> str:
    """The URL of the remote ``origin``; "" if there is none."""
    try:
        words = ["git", "-C", str(root), "remote", "get-url", "origin"]
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
        return done.stdout.strip()
    except OSError:
        return ""


FORGE_OPTIONS = (
    click.Option(["-r", "--repo"], default="", metavar="OWNER/REPO", help="Another repository."),
    click.Option(
        ["--forge"],
        type=click.Choice(["auto", "github", "gitlab", "gh", "glab"]),
        default="auto",
        show_default=True,
        help="Whose tool to use; auto: as the address or the remote says.",
    ),
)


def _command(name: str, about: str, *more: click.Parameter) -> OptionsCommand:
    callbacks = {"pr": _pull_request, "diff": _diff, "issue": _issue, "checks": _checks, "logs": _logs}
    return OptionsCommand(
        name,
        callback=known_answers(callbacks.get(name, _comment)),
        params=[
            click.Argument(["ref"], metavar="NUMBER|URL|OWNER/REPO#N"),
            *FORGE_OPTIONS,
            *more,
        ],
        accepts=("json", "output", *COMMON_OPTIONS),
        short_help=about,
        help=about,
    )


command = click.Group(
    "forge",
    short_help="Read pull requests, issues and checks of GitHub and GitLab.",
    help="""Read pull requests (merge requests), issues and checks of GitHub by `gh` and of GitLab by
    `glab`, in one form, as steps of workflows need them: argv = ["lok", "forge", "pr", "{{ arg.pr }}"].
    No argument goes through a shell.
    """,
    commands=[
        _command("pr", "Print a pull request as JSON."),
        _command("diff", "Print the diff of a pull request."),
        _command("issue", "Print an issue with its comments as JSON."),
        _command("checks", "Print the checks of a pull request as JSON."),
        _command("logs", "Print the ends of the logs of failed checks."),
        _command(
            "comment",
            "Write standard input as one comment on a pull request, in the place of the last one.",
            click.Option(
                ["--marker"],
                default="lok",
                show_default=True,
                metavar="NAME",
                help="Tells one's comments apart.",
            ),
        ),
        OptionsCommand(
            "file-issues",
            callback=known_answers(_file_issues),
            params=[
                *FORGE_OPTIONS,
                click.Option(["-y", "--yes"], is_flag=True, help="Open them; else just show."),
            ],
            accepts=("json", "output", *COMMON_OPTIONS),
            short_help="Open an issue for each finding on standard input.",
            help="""Open an issue for each finding of the JSON array on standard input, but none whose
            title is that of an open issue, or nearly so. At most 20 are opened at once.
            """,
        ),
    ],
)
