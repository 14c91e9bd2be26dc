"""The files that a step attaches → their texts and images, or why one cannot be attached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_lok.core.asking.attachments import MAX_FILE_BYTES, MAX_TOTAL_BYTES, attachment
from pytest_lok.core.asking.images import MAX_IMAGE_BYTES, MAX_IMAGES, Image
from pytest_lok.core.asking.path_patterns import MOST_FILES, is_pattern, matching
from pytest_lok.core.edits.edits import refused_path
from pytest_lok.core.findings.encodings import decode_readings, is_binary
from pytest_lok.dataclass import dataclass
from pytest_lok.errors import OutputError, StepUnableError

if TYPE_CHECKING:
    from pytest_lok.core.templates.scope import Scope
    from pytest_lok.core.templates.template import Template
    from pytest_lok.core.workflow.model import Ask
    from pytest_lok.engine.ports import Workspace

_HINT = "attach fewer files to one question, for example with for_each over `lok parts`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """What a step attaches: texts by the path of their file, and images."""

    texts: dict[str, str]
    images: tuple[Image, ...]

    def __str__(self) -> str:
        notes = [image.note for image in self.images]
        return "\n\n".join([*(attachment(path, text) for path, text in self.texts.items()), *notes])


async def attached_names(action: Ask, workspace: Workspace) -> frozenset[str]:
    """The files that patterns of the step may mean; none where it has no pattern."""
    return await workspace.tree_names() if any(map(_is_pattern, action.attach)) else frozenset()


def attachment_paths(action: Ask, scope: Scope, names: Iterable[str]) -> list[str]:
    """The paths that the step attaches, in order, each once; those of a pattern out of ``names``, sorted.

    OutputError if they are no list of texts; StepUnableError where a pattern means no file, or too many.
    """
    if action.attach_from is None:
        paths: dict[str, None] = {}
        for path in action.attach:
            found = _meant(path.source, names) if _is_pattern(path) else [path.render(scope)]
            paths |= dict.fromkeys(found)
        return list(paths)
    value = action.attach_from.value(scope)
    if not isinstance(value, list) or not all(isinstance(path, str) for path in value):
        raise OutputError(f"attach needs a list of paths, and {action.attach_from.source.strip()} is none")
    return list(dict.fromkeys(str(path) for path in value))


def attached_files(paths: Sequence[str], workspace: Workspace) -> Attachments:
    """The text of each of these files, or the image; StepUnableError if one of them cannot be read whole.

    A file that is left out in silence would be a file that was not reviewed.
    """
    texts: dict[str, str] = {}
    images: list[Image] = []
    total = 0
    for path in paths:
        content = _content(path, workspace)
        image = Image.of(path, content)
        most = MAX_FILE_BYTES if image is None else MAX_IMAGE_BYTES
        if len(content) > most:
            raise _too_much(f"{path} has {len(content):,} bytes; the limit is {most:,}")
        if image is not None:
            images.append(image)
            continue
        total += len(content)
        if total > MAX_TOTAL_BYTES:
            raise _too_much(f"together they have more; the limit is {MAX_TOTAL_BYTES:,}")
        if is_binary(content):
            raise StepUnableError(
                f"{path!r} cannot be attached: it is binary",
                hint="attach text files, and images that are PNG, JPEG, GIF or WebP",
            )
        texts[path] = decode_readings(content)[0][0]
    if len(images) > MAX_IMAGES:
        raise _too_much(f"there are {len(images)} images; the limit is {MAX_IMAGES}")
    return Attachments(texts=texts, images=tuple(images))


def _is_pattern(path: Template) -> bool:
    """Whether the author wrote a pattern; a value that has a star in it is a name."""
    return not path.has_tags and is_pattern(path.source)


def _meant(pattern: str, names: Iterable[str]) -> list[str]:
    found = matching(pattern, names)
    if not found:
        raise StepUnableError(
            f"the files cannot be attached: nothing is called {pattern!r} here",
            hint="files that git ignores do not count; `when` on the step skips it",
        )
    if len(found) > MOST_FILES:
        raise _too_much(f"{pattern!r} means {len(found):,} files; the limit is {MOST_FILES:,}")
    return found


def _too_much(why: str) -> StepUnableError:
    return StepUnableError(f"the files cannot be attached: {why}", hint=_HINT)


def _content(path: str, workspace: Workspace) -> bytes:
    why = refused_path(path)
    try:
        content = None if why else workspace.read(path)
    except ValueError as refusal:
        why = str(refusal)
    if why or content is None:
        raise StepUnableError(
            f"{path!r} cannot be attached: it {why or 'is not there, or is no file'}",
            hint="paths are relative to the project, and lead through no link",
        )
    return content
