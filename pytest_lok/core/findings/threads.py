"""Findings, and the threads of a pull request -> what to write there, to resolve and to leave alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pytest_lok.core.asking.diff import DiffError, read_diff
from pytest_lok.core.results import Finding
from pytest_lok.core.text.path_spellings import possible_paths
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

USUAL_LIMIT = 20
"""Comments on lines that a pull request has at most, where nobody says another number."""

_HUNK = late_regex(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@.*")
_FINGERPRINT = late_regex(r"[0-9a-f]{4,64}")


def run_marker(workflow: str) -> str:
    """The first line of the comment that tells of a workflow's runs."""
    return f"<!-- lok:{workflow} -->"


def thread_marker(workflow: str, fingerprint: str) -> str:
    """The first line of a comment on a line."""
    return f"<!-- lok:{workflow} finding {fingerprint} -->"


def marked_fingerprint(text: str, workflow: str) -> str:
    """The fingerprint in the first line of such a comment; "" where the text is none of this workflow."""
    first = text.split("\n", 1)[0].rstrip("\r")
    before, _, after = thread_marker(workflow, "|").partition("|")
    digest = first[len(before) : len(first) - len(after)]
    alike = first.startswith(before) and first.endswith(after) and _FINGERPRINT.fullmatch(digest)
    return digest if alike else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewThread:
    """A thread on a pull request that lok has begun.

    ``key`` is the forge's name of it. ``answered``: somebody else wrote into it, or resolved it.
    """

    key: str
    fingerprint: str
    resolved: bool = False
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLines:
    """The lines of a file that a pull request adds, and those of the base that it removes."""

    added: frozenset[int] = frozenset()
    removed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineFinding:
    """A finding and the changed line that it is commented on; ``removed``: a line of the base."""

    finding: Finding
    line: int
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPlan:
    """What to do on a pull request, and how many findings get no new comment, by why that is so.

    ``kept`` are threads that stay as they are. ``answered``: a person has answered already. ``unplaced``:
    none of the finding's lines is changed. ``crowded``: there are as many comments as there may be.
    """

    write: tuple[InlineFinding, ...] = ()
    resolve: tuple[ReviewThread, ...] = ()
    reopen: tuple[ReviewThread, ...] = ()
    kept: int = 0
    answered: int = 0
    unplaced: int = 0
    crowded: int = 0


def plan_threads(
    findings: Sequence[Finding],
    threads: Sequence[ReviewThread],
    changed: Mapping[str, DiffLines],
    *,
    limit: int = USUAL_LIMIT,
    complete: bool,
) -> ThreadPlan:
    """What to do about the findings of a run, the worst first, where these threads are.

    Only findings that count are commented on. ``complete``: the whole change was judged, so that a finding
    which is reported no longer is fixed; otherwise no thread is resolved. There are never more than ``limit``
    open threads, unless there were before.
    """
    alive = {it.fingerprint for it in findings if it.standing not in ("known", "withdrawn")}
    # of several findings with one fingerprint the first gets the comment
    wanted = {it.fingerprint: it for it in reversed(findings) if counts(it)}
    known: dict[str, list[ReviewThread]] = {}
    for thread in threads:
        known.setdefault(thread.fingerprint, []).append(thread)
    gone = [it for it in threads if complete and it.fingerprint not in alive and not it.resolved]
    # an answer that was lost may have left the same comment twice
    again = [it for same in known.values() for it in _open(same)[1:] if not it.answered and it not in gone]
    room = limit - sum(not it.resolved for it in threads) + len(gone) + len(again)
    write: list[InlineFinding] = []
    reopen: list[ReviewThread] = []
    left = Counter[str]()  # by the names of ThreadPlan's fields
    for finding in (it for it in findings if wanted.get(it.fingerprint) is it):
        there = known.get(finding.fingerprint, [])
        place = _place(finding, changed.get(finding.path, DiffLines()))
        if any(it.answered for it in there):
            left["answered"] += 1
        elif _open(there):
            left["kept"] += 1
        elif place is None and not there:
            left["unplaced"] += 1
        elif room <= 0:
            left["crowded"] += 1
        else:
            room -= 1
            if there:
                reopen.append(there[-1])
            elif place is not None:
                write.append(place)
    return ThreadPlan(write=tuple(write), resolve=(*gone, *again), reopen=tuple(reopen), **left)


def counts(finding: Finding) -> bool:
    """Whether a finding is worth a comment: it blocks, it might, or there is no gate to say."""
    return finding.standing in ("blocks", "undecided", "")


def _open(threads: Iterable[ReviewThread]) -> list[ReviewThread]:
    return [thread for thread in threads if not thread.resolved]


def _place(finding: Finding, lines: DiffLines) -> InlineFinding | None:
    """The last changed line of the finding; None where the change touches none of its lines."""
    changed = lines.removed if finding.removed else lines.added
    span = [line for line in changed if finding.line <= line <= max(finding.line, finding.end_line)]
    return InlineFinding(finding=finding, line=max(span), removed=finding.removed) if span else None


def changed_lines_of(diff: str) -> Mapping[str, DiffLines]:
    """The changed lines of each file of a diff; nothing of a text that is no diff as git prints it."""
    try:
        files = read_diff(diff)
    except DiffError:
        return {}
    found: dict[str, DiffLines] = {}
    for file in files:
        added, removed = set[int](), set[int]()
        for hunk in file.hunks:
            head, *lines = hunk.split("\n")[:-1]
            began = _HUNK.fullmatch(head)
            if began is None:
                continue
            old, new = map(int, began.groups())
            for line in lines:
                if line.startswith("+"):
                    added.add(new)
                elif line.startswith("-"):
                    removed.add(old)
                # an empty line is one of both sides whose space was cut off
                old += line[:1] in ("", " ", "-")
                new += line[:1] in ("", " ", "+")
        # git writes a name with other letters than ASCII in octal numbers
        names = possible_paths(f'"{file.name}"', "/") if "\\" in file.name else (file.name,)
        found |= dict.fromkeys(names, DiffLines(added=frozenset(added), removed=frozenset(removed)))
    return found
