"""The text of a case.toml -> EvalCase, or every problem of the file with its place and a hint."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from pytest_lok.core.evaluation.case import ChangeSource, EvalCase, Expectation
from pytest_lok.core.evaluation.case_document import CaseDocument, ExpectationDocument
from pytest_lok.core.text.suggestions import did_you_mean
from pytest_lok.core.toml.fields import keys
from pytest_lok.core.toml.positions import KeyPositions, Path
from pytest_lok.core.toml.validation import fit
from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.reading.source import SourceText
from pytest_lok.errors import CaseError, Problem, WorkflowError
from pytest_lok.late_regex import late_regex

MAX_EXPECTATIONS = 50
"""Places that one case may name of either kind."""

_COMMIT = late_regex(r"[0-9a-f]{40}([0-9a-f]{24})?")
_DEFAULT_BEFORE, _DEFAULT_AFTER = "before", "after"
_Fault: TypeAlias = tuple[Path, str, str]
"""The key that it is about, what is wrong, and a hint."""


def read_case(data: bytes, *, name: str, path: str) -> EvalCase:
    """The case in a file's bytes; CaseError with all that is wrong with it. ``path`` is as people see it."""
    try:
        source = SourceText.decode(data, path=path, stem=name, origin=Origin.PROJECT)
        written = source.toml()
    except WorkflowError as error:
        raise CaseError(error.problems) from None
    document, misfits = fit(CaseDocument, written, key_hint=_key_hint)
    positions = KeyPositions(source.text.removeprefix("\ufeff"))
    problems = []
    for misfit in misfits:
        spot = positions.key(misfit.path) if misfit.unknown else positions.value(misfit.path)
        problems.append(source.problem(spot, misfit.message, misfit.hint))
    if not problems:  # what is missing may be what does not fit
        problems = [source.problem(positions.value(at), said, hint) for at, said, hint in _faults(document)]
    if problems:
        raise CaseError(sorted(problems, key=_place))
    return EvalCase(
        name=name,
        source=source,
        change=_change(document),
        description=document.description,
        clean=document.clean,
        margin=document.margin,
        must_block=tuple(_expectations(document.must_block, "must_block")),
        must_not_block=tuple(_expectations(document.must_not_block, "must_not_block")),
    )


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


def _change(document: CaseDocument) -> ChangeSource:
    before = document.before or ("" if document.base else _DEFAULT_BEFORE)
    ends = document.patch or document.head
    return ChangeSource(
        before=before,
        after=document.after or ("" if ends else _DEFAULT_AFTER),
        patch=document.patch or "",
        base=document.base or "",
        head=document.head or "",
    )


def _expectations(documents: Sequence[ExpectationDocument], kind: str) -> Iterator[Expectation]:
    for number, it in enumerate(documents):
        lines = [it.lines] if isinstance(it.lines, int) else it.lines
        yield Expectation(
            path=it.path,
            lines=(lines[0], lines[-1]) if lines else None,
            quote=it.quote or "",
            removed=it.removed or "",
            rules=(it.rule,) if isinstance(it.rule, str) else tuple(it.rule),
            about=it.about,
            key=(kind, number),
        )


# --- what the types do not say


def _faults(document: CaseDocument) -> Iterator[_Fault]:
    yield from _faults_of_change(document)
    if document.clean and document.must_block:
        yield ("clean",), "the case is clean, and names what must block", "leave one of them out"
    if not document.clean and not document.must_block:
        hint = "name it in a [[must_block]], or write `clean = true`: nothing in it may block"
        yield (), "the case does not say what must block", hint
    for kind, listed in (("must_block", document.must_block), ("must_not_block", document.must_not_block)):
        if len(listed) > MAX_EXPECTATIONS:
            yield (kind,), f"`{kind}` has {len(listed)} places", f"at most {MAX_EXPECTATIONS}"
        for number, it in enumerate(listed):
            yield from _faults_of_place((kind, number), it)


def _faults_of_change(document: CaseDocument) -> Iterator[_Fault]:
    ends = [name for name in ("after", "patch", "head") if getattr(document, name) is not None]
    if document.base is not None:
        for name in ("before", "after"):
            if getattr(document, name) is not None:
                yield (name,), f"`{name}` and `base` exclude each other", "`base` is the side before"
        if not {"patch", "head"} & {*ends}:
            yield ("base",), "`base` is only one side", "add `head`, or `patch`"
    elif document.head is not None:
        yield ("head",), "`head` needs `base`, the commit before the change", ""
    if len(ends) > 1:
        yield (ends[-1],), f"`{ends[0]}` and `{ends[-1]}` exclude each other", "keep one of them"
    for name in ("base", "head"):
        said = getattr(document, name)
        if said is not None and not _COMMIT.fullmatch(said):
            hint = "`git rev-parse NAME` prints the whole id; names and short ids change their meaning"
            yield (name,), f"`{name}` is no whole id of a commit", hint
    for name in ("before", "after", "patch"):
        said = getattr(document, name)
        if said is not None and not is_plain(said, leaves=True):
            yield (name,), f"`{name}` is no plain relative path", 'such as "before" or "../trees/shop"'


def _faults_of_place(key: Path, it: ExpectationDocument) -> Iterator[_Fault]:
    if not is_plain(it.path):
        at = (*key, "path") if it.path else key
        yield at, "`path` is no file of the project", 'its path from the root, such as "src/a.py"'
    if it.lines is None and it.quote is None and it.removed is None:
        yield key, "the place has no `lines`, `quote` or `removed`", "name at least one of them"
    if isinstance(it.lines, list) and (len(it.lines) not in (1, 2) or it.lines[0] > it.lines[-1]):
        yield (*key, "lines"), "`lines` are the first and the last line", "lines = [12, 15]"
    for name in ("quote", "removed"):
        said = getattr(it, name)
        if said is not None and not said.strip():
            yield (*key, name), f"`{name}` is empty", "copy the lines that it is about"
    rules = [it.rule] if isinstance(it.rule, str) else it.rule
    if any(not rule.strip() for rule in rules):
        yield (*key, "rule"), "`rule` is empty", "leave it out, and every rule will do"


def is_plain(path: str, *, leaves: bool = False) -> bool:
    """Whether the path is relative and written plainly; with ``leaves`` it may begin with ``../``."""
    plain = posixpath.normpath(path)
    return (
        bool(path)
        and not set("\0\n\r") & set(path)
        and "\\" not in path
        and plain not in (".", "..")
        and plain == path.rstrip("/")
        and not path.startswith("/")
        and (leaves or not plain.startswith("../"))
        and ".git" not in plain.lower().split("/")
    )


def _key_hint(path: Path) -> str:
    known = keys(ExpectationDocument if len(path) > 1 else CaseDocument)
    return did_you_mean(str(path[-1]), known) or f"there are: {', '.join(sorted(known))}"
