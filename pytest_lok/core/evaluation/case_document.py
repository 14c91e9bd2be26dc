"""The tables of a case.toml: every key with its type, its default, and what editors say of it."""

from __future__ import annotations

from typing import Annotated, Any

from pytest_lok.core.toml.fields import Bounds, Table, key

MOST_LINES = 1_000_000_000
Line = Annotated[int, Bounds(ge=1, le=MOST_LINES)]
Margin = Annotated[int, Bounds(ge=0, le=50)]


class ExpectationDocument(Table, title="Expectation", required=["path"]):
    """A place that a finding is about. Each of `lines`, `quote` and `removed` names it; one has to."""

    path: str = key("", description="The file, from the root of the project, as it is after the change.")
    lines: Line | list[Line] | None = key(
        None, description="A line after the change, or the first and the last: [12, 15]."
    )
    quote: str | None = key(
        None, description="Text that stands once in the file after the change: whole lines, or a part of one."
    )
    removed: str | None = key(
        None, description="Text that stood once in the file before the change, which removes it."
    )
    rule: str | list[str] = key(
        [], description="The rules that the finding may have; without them every one will do."
    )
    about: str = key("", description="What it is, for people.")


class CaseDocument(Table, title="Case"):
    """A change of which it is known what a review has to say."""

    description: str = key("", description="What the change does, for people.")
    clean: bool = key(False, description="Nothing in this change may block: it has no `must_block`.")
    before: str | None = key(
        None, description='The directory with the files before the change.  [default: "before"]'
    )
    after: str | None = key(
        None, description='The directory with the files after it.  [default: "after", without a patch]'
    )
    patch: str | None = key(None, description="The file with the change, as `git diff` prints it.")
    base: str | None = key(
        None, description="The id of the commit before the change, in the project's own repository."
    )
    head: str | None = key(None, description="The id of the commit after it; `patch` is the other way.")
    margin: Margin = key(3, description="Lines that a finding may be away from its place.")
    must_block: list[ExpectationDocument] = key([], description="Findings that have to block, each of them.")
    must_not_block: list[ExpectationDocument] = key(
        [], description="What looks like a problem and is none: a finding there must not block."
    )


def schema() -> dict[str, Any]:
    """JSON Schema of a case.toml, for editors and ``lok schema case``."""
    from pytest_lok.core.toml.editor_schema import schema_of

    return schema_of(CaseDocument)
