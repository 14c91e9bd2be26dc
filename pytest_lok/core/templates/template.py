"""A text with its values: Template, which renders what its author wrote around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.templates.program import TemplateProgram
    from pytest_lok.core.templates.scope import Scope, VisibleNames
    from pytest_lok.core.text.inclusion import Inclusion


_INCLUDES = late_regex(r"\{%[-+]?\s*include\b")
"""What every text has that includes others; one that has it need not."""


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled text. ``steps`` are the steps it reads.

    ``arguments`` are the ones it cannot do without (no default), ``positional_count`` is the highest number
    of a positional one that it reads. ``source`` is written out: the text of each file of ``included``
    stands in the place of its tag.
    """

    source: str
    steps: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    positional_count: int = 0
    included: tuple[str, ...] = ()
    # None where the source has no tags: it is the text then
    _program: TemplateProgram | PlainProgram | None = field(default=None, repr=False, compare=False)
    _typed: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def literal(cls, text: str) -> Template:
        """Text that is itself, whatever braces it holds (a prompt typed on the command line)."""
        return cls(text, _typed=True)

    @classmethod
    def parse(cls, source: str, names: VisibleNames) -> Template:
        """Compile; SourceError holds every mistake by its offset into ``source``."""
        if "{{" not in source and "{%" not in source:
            return cls(source)
        plain = PlainProgram.of(source, names)
        if plain is not None:
            return cls(source, plain.steps, plain.arguments, _program=plain)
        from pytest_lok.core.templates.program import check_template

        check, program = check_template(source, names)
        return cls(source, frozenset(check.steps), check.required, check.positional_count, _program=program)

    @classmethod
    def composed(cls, inclusion: Inclusion, names: VisibleNames) -> Template:
        """Compile a text with those that it includes; SourceError has the places of ``inclusion``."""
        source = inclusion.pieces[0].named.text
        if not _INCLUDES.search(source):
            return cls.parse(source, names)
        from pytest_lok.core.templates.program import check_composed

        check, program = check_composed(inclusion, names)
        return cls(
            inclusion.expanded(),
            frozenset(check.steps),
            check.required,
            check.positional_count,
            inclusion.paths,
            program,
        )

    @property
    def names(self) -> frozenset[str]:
        """What its expressions begin with: ``steps``, ``arg``, ``item`` …"""
        return frozenset() if self._program is None else self._program.names

    @property
    def has_tags(self) -> bool:
        """Whether it holds more than its own text."""
        return self._program is not None

    def may_be_slow(self, scope: Scope) -> bool:
        """Whether rendering it may take long."""
        return self._program is not None and self._program.may_be_slow(scope)

    def empty_steps(self, scope: Scope) -> list[str]:
        """The steps whose words it puts in, though they come to nothing."""
        return [] if self._program is None or not self.steps else self._program.empty_steps(scope)

    def render(self, scope: Scope) -> str:
        """The text with its values; TemplateError names a missing one."""
        return self.source if self._program is None else self._program.render(scope)

    def without_author_json(self, scope: Scope, text: str) -> str:
        """What may come from others in ``text``, which it rendered: all but the JSON of a file's author.

        A text of the command line may hold anything.
        """
        if self._program is not None:
            return self._program.without_author_json(scope, text)
        from pytest_lok.core.text.quotation import without_values

        return text if self._typed else without_values([text], others=False)[0]


PLAIN_TAG = late_regex(r"\{\{ *(?:steps\.([A-Za-z_]\w*)\.output|arg\.([A-Za-z_]\w*)|item) *\}\}", re.ASCII)
_NO_LITERAL = late_regex(r"\{[{%#]|\{$|\r")
"""What the text between plain tags must not hold to be nothing but text."""


class PlainProgram:
    """A text whose only tags are ``{{ steps.NAME.output }}``, ``{{ arg.NAME }}`` and ``{{ item }}``.

    It does what its TemplateProgram would do, without Jinja: reading such a text and rendering it once takes
    some 25 µs this way and some 700 µs through Jinja, and nearly every text of a workflow is one.
    ``literals`` are the texts around the tags, one more than there are ``tags``.
    """

    def __init__(self, literals: Sequence[str], tags: Sequence[re.Match[str]]) -> None:
        self._literals = literals
        self._tags = tags
        self.steps = frozenset(tag[1] for tag in tags if tag[1])
        self.arguments = frozenset(tag[2] for tag in tags if tag[2])

    @classmethod
    def of(cls, source: str, names: VisibleNames) -> PlainProgram | None:
        """The program of a text; None where the text has another tag, or a name that means nothing."""
        literals, at, tags = list[str](), 0, list(PLAIN_TAG.finditer(source))
        for tag in tags:
            step, argument = tag.groups()
            known = step in names.steps if step else argument in names.arguments if argument else names.loop
            if not known:
                return None
            literals.append(source[at : tag.start()])
            at = tag.end()
        literals.append(source[at:])
        return None if any(map(_NO_LITERAL.search, literals)) else cls(literals, tags)

    @property
    def names(self) -> frozenset[str]:
        """What its tags begin with: ``steps``, ``arg`` or ``item``."""
        return frozenset(_path(tag)[0] for tag in self._tags)

    def may_be_slow(self, scope: Scope) -> bool:  # noqa: ARG002 - as TemplateProgram has it
        """False: nothing is looked for in the values, however long they are."""
        return False

    def empty_steps(self, scope: Scope) -> list[str]:
        """The steps whose output comes to nothing."""
        from pytest_lok.core.templates.program import text_at

        steps = {tag[1]: tag for tag in self._tags if tag[1]}
        return [name for name, tag in steps.items() if not text_at(_path(tag), scope, place="").strip()]

    def render(self, scope: Scope) -> str:
        """The text with its values; TemplateError names a missing one."""
        return self._joined(self._literals, scope)

    def without_author_json(self, scope: Scope, text: str) -> str:
        """``text``, which it rendered, without the JSON that its author wrote around the values."""
        if not any("[" in literal or "{" in literal for literal in self._literals):
            return text
        from pytest_lok.core.text.quotation import without_values

        return self._joined(without_values(self._literals, others=True), scope)

    def _joined(self, literals: Sequence[str], scope: Scope) -> str:
        from pytest_lok.core.templates.program import text_at

        texts = [text_at(_path(tag), scope, place=tag[0]) for tag in self._tags]
        return "".join(chain.from_iterable(zip_longest(literals, texts, fillvalue="")))


def _path(tag: re.Match[str]) -> tuple[str, ...]:
    """The names in a plain tag, such as ``steps``, ``review`` and ``output``."""
    return ("steps", tag[1], "output") if tag[1] else ("arg", tag[2]) if tag[2] else ("item",)
