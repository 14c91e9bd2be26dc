"""What findings cite -> the files they mean, on both sides of the change, and each finding at its place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_lok.core.findings.evidence import (
    EvidenceFile,
    QuotePlace,
    QuoteSearch,
    acceptance_note,
    at_place,
    is_accepted,
    without_place,
)
from pytest_lok.core.findings.gate import most_blocking
from pytest_lok.core.text.path_spellings import WorkspacePaths, names_exactly, possible_paths, without_prefix
from pytest_lok.dataclass import dataclass
from pytest_lok.engine.context import time_limit
from pytest_lok.errors import StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.findings.baseline import Baseline
    from pytest_lok.core.results import Finding
    from pytest_lok.core.workflow.model import Gate
    from pytest_lok.engine.execution import StepExecution
    from pytest_lok.engine.ports import Comparison, FileVersions

MAX_FILES = 20
"""Files that one cited path may mean; a path that may mean more proves no finding harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _CitedFiles:
    """The files that a cited path may mean; ``doubt`` says why there is none, or ``several`` too many.

    ``guess``: it is none of their names, so what is harmless in them says nothing of what was meant.
    """

    paths: tuple[str, ...] = ()
    doubt: str = ""
    several: bool = False
    guess: str = ""


class EvidenceLookup:
    """Where the findings of one step stand.

    ``baseline`` is None where it is not known or not wanted. Files are compared with the base
    where the ``gate`` asks for the change or for copies of lines, and where a quote is not in a file as it
    is now. ``gap`` says why a comparison cannot be had, ``base`` with what it was made.
    """

    def __init__(self, execution: StepExecution, gate: Gate | None, baseline: Baseline | None) -> None:
        self._execution = execution
        self._workspace = execution.context.world.workspace
        self._gate = gate
        self._baseline = baseline
        self._sources: dict[str, EvidenceFile] = {}
        self._compared = set[str]()
        self._cited: dict[str, _CitedFiles] = {}
        self._names: tuple[frozenset[str], WorkspacePaths] | None = None
        self.gap: StepUnableError | None = None
        self.base = ""
        self.same = False

    async def locate(self, findings: Sequence[Finding]) -> list[Finding]:
        """Each finding at the place of its quote; unchanged where the quote stands nowhere."""
        for path in dict.fromkeys(finding.path for finding in findings):
            self._cited[path] = self._cited.get(path) or await self._files_of(path)
        if self._gate and (self._gate.scope != "all" or self._gate.baseline == "new"):
            await self._compare(findings)
        found = await self._locate_all(findings)
        lost = [said for said, it in zip(findings, found, strict=True) if it.evidence_found is False]
        if await self._compare(lost):
            again = iter(await self._locate_all(lost))
            return [next(again) if it.evidence_found is False else it for it in found]
        return found

    async def _locate_all(self, findings: Sequence[Finding]) -> list[Finding]:
        context, step = self._execution.context, self._execution.step
        try:
            with time_limit(context.timeout_of(step)):
                return [await self._locate(finding) for finding in findings]
        except TimeoutError:
            raise context.timed_out(step, "looking for the quotes") from None

    # --- files

    async def _files_of(self, cited: str) -> _CitedFiles:
        """The file of that path, as it is written or in a plainer reading.

        Else the files with a similar path.
        """
        root = self._workspace.root
        readings = possible_paths(cited, root)
        if not readings:
            return _CitedFiles(doubt=f"{cited!r} is no path of the workspace")
        first = readings[0]
        if not first.startswith("/") and not without_prefix(first) and self._exists(first):
            return _CitedFiles(paths=(first,))
        names, index = await self._known_names()

        def is_path(path: str) -> bool:
            return path in names or self._exists(path) or _is_within(path, names)

        for path in (reading.lstrip("/") for reading in readings):
            if is_path(path):
                short = without_prefix(path)
                return _CitedFiles(paths=(path, short) if short and is_path(short) else (path,))
        ends = (end for reading in readings for end in _path_suffixes(reading) if is_path(end))
        like = WorkspacePaths([*index.with_longest_common_end(readings), *ends]).with_longest_common_end(
            readings
        )
        if not like:
            return _CitedFiles(doubt=f"there is no file {first}")
        if len(like) > MAX_FILES:
            return _CitedFiles(doubt=f"{cited!r} may mean {len(like)} files", several=True)
        guessed = [name for name in like if not names_exactly(name, readings, root)]
        return _CitedFiles(paths=like, guess=f"{first} may mean {guessed[0]}" if guessed else "")

    async def _known_names(self) -> tuple[frozenset[str], WorkspacePaths]:
        if self._names is None:
            limit = self._execution.context.timeout_of(self._execution.step)
            try:
                with time_limit(limit):
                    names = await self._workspace.file_names()
            except (StepUnableError, TimeoutError):
                names = frozenset()
            self._names = names, WorkspacePaths(names)
        return self._names

    def _exists(self, path: str) -> bool:
        return self._source(path).exists

    def _source(self, path: str) -> EvidenceFile:
        if path not in self._sources:
            self._sources[path] = self._current_source(path)
        return self._sources[path]

    def _current_source(self, path: str) -> EvidenceFile:
        try:
            return EvidenceFile(path=path, after=self._workspace.read(path))
        except ValueError as problem:
            return EvidenceFile(path=path, unreadable=f"{path} {problem}")

    # --- the change

    async def _compare(self, findings: Iterable[Finding]) -> bool:
        """Read the files of these findings on both sides of the change; False if nothing new was read."""
        paths = {path for finding in findings for path in self._cited[finding.path].paths} - self._compared
        if self.gap is not None or (not paths and self.base):
            return False
        context, step = self._execution.context, self._execution.step
        try:
            with time_limit(context.timeout_of(step)):
                comparison = await self._workspace.comparison(sorted(paths))
        except TimeoutError:
            self.gap = context.timed_out(step, "the diff")
            return False
        except StepUnableError as gap:
            self.gap = gap
            return False
        if not self.base:
            self._execution.add_section("scope", f"what changed since {comparison.base}")
        self.base, self.same = comparison.base, comparison.same
        for path in paths:
            self._sources[path] = self._compared_source(path, comparison.files.get(path), comparison)
        self._compared |= paths
        return bool(paths)

    def _compared_source(self, path: str, file: FileVersions | None, comparison: Comparison) -> EvidenceFile:
        if file is None or file.unknown:
            why = f"{path} {file.unknown if file else 'was not compared'}"
            return replace(self._current_source(path), unknown=why)
        return EvidenceFile(
            path=path,
            after=file.after,
            before=file.before,
            compared=True,
            same=comparison.same,
            mode_changed=file.mode_changed,
        )

    # --- findings

    async def _locate(self, finding: Finding) -> Finding:
        # a thousand findings may take a while: let other steps go on in between
        await asyncio.sleep(0)
        cited = self._cited[finding.path]
        sources = [self._source(path) for path in cited.paths]
        sightings = [source.find_quote(finding) for source in sources]
        places = [place for sighting in sightings for place in sighting.places]
        if not places:
            return self._misquoted(finding, cited, sources, sightings)
        for source, sighting in zip(sources, sightings, strict=True):
            if not sighting.places and (
                source.unknown or not sighting.everywhere
                # the finding may mean this file as well, so it counts as a doubtful place
            ):
                doubt = source.unknown or sighting.doubt
                places.append(
                    QuotePlace(
                        path=source.path,
                        line=finding.line,
                        end_line=finding.end_line,
                        identity="",
                        doubt=doubt,
                    )
                )
        candidates = [self._at_place(finding, place) for place in places]
        if cited.guess:
            candidates = [_guessed(candidate, cited.guess) for candidate in candidates]
        return most_blocking(self._gate, candidates, finding.line)

    def _at_place(self, finding: Finding, place: QuotePlace) -> Finding:
        if (baseline := self._baseline) is None:
            return at_place(finding, place, None)
        known = is_accepted(finding, place, baseline.counts)
        return at_place(finding, place, known, acceptance_note(finding, place, baseline.notes))

    def _misquoted(
        self,
        finding: Finding,
        cited: _CitedFiles,
        sources: Sequence[EvidenceFile],
        sightings: Sequence[QuoteSearch],
    ) -> Finding:
        """A finding whose quote stands nowhere.

        With ``evidence = "warn"`` the lines it gives count instead.
        """
        first = next(iter(possible_paths(finding.path, self._workspace.root)), finding.path)
        path = next(iter(cited.paths), first.removeprefix("/"))
        found = without_place(finding, path, sightings, self._baseline)
        if cited.doubt:
            found = replace(found, doubt=cited.doubt, evidence_found=None if cited.several else False)
        if self._gate is None or self._gate.evidence != "warn":
            return found
        return replace(
            found,
            in_diff=_any_yes(source.stated_lines_touched(finding) for source in sources),
            file_changed=_any_yes(source.file_changed for source in sources),
        )


def _any_yes(answers: Iterable[bool | None]) -> bool | None:
    """True if one answer is yes, False if there are answers and all are no, else None."""
    said = list(answers)
    return True if True in said else None if None in said or not said else False


def _guessed(finding: Finding, doubt: str) -> Finding:
    """A finding at a place that may not be the cited one: whatever would excuse it becomes unknown."""
    return replace(
        finding,
        in_diff=finding.in_diff or None,
        file_changed=finding.file_changed or None,
        known=None if finding.known else finding.known,
        doubt=finding.doubt or doubt,
    )


def _path_suffixes(path: str) -> Iterator[str]:
    """The path without its first directory, without its first two, and so on."""
    parts = path.lstrip("/").split("/")
    return ("/".join(parts[at:]) for at in range(1, len(parts)))


def _is_within(path: str, names: frozenset[str]) -> bool:
    """Whether the path leads into what is one name for git: a submodule, another repository, or a link."""
    parts = path.split("/")
    parents = ("/".join(parts[:at]) for at in range(1, len(parts)))
    return any(parent in names or f"{parent}/" in names for parent in parents)
