"""Texts that include each other come to what Jinja makes of them, and a mistake stands where it was written."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.templates.scope import Loop, Scope, VisibleNames
from pytest_lok.core.templates.template import Template
from pytest_lok.core.text.inclusion import MAX_DEPTH, MAX_INCLUSIONS, Inclusion, NamedText
from pytest_lok.errors import SourceError, TemplateError, UsageError

NAMES = VisibleNames(steps=frozenset({"scan"}), loop=True)
SCOPE = Scope(loop=Loop(item="it", index=0))
TEXTS = ["a.md", "b/c.md", "d", "e.md"]


def inclusion(texts: dict[str, str], first: str) -> Inclusion:
    def fetch(name: str) -> NamedText:
        if name not in texts:
            raise UsageError(f"there is no prompt {name!r}")
        return NamedText(text=texts[name].removesuffix("\n"), name=name, path=f"/{name}")

    return Inclusion(NamedText(text=first), fetch)


def composed(texts: dict[str, str], first: str) -> Template:
    return Template.composed(inclusion(texts, first), NAMES)


def places(texts: dict[str, str], first: str) -> list[tuple[str, str, str]]:
    """Of each fault the text it is in, what is marked there, and the message."""
    found = inclusion(texts, first)
    with pytest.raises(SourceError) as caught:
        Template.composed(found, NAMES)
    pieces = [(found.piece_at(fault.start), fault) for fault in caught.value.faults]
    return [
        (
            piece.named.name,
            piece.named.text[fault.start - piece.start : fault.end - piece.start],
            fault.message,
        )
        for piece, fault in pieces
    ]


def pieces(after: int) -> st.SearchStrategy[str]:
    """What a text may be made of that includes only those that stand further on in the list."""
    including = [f"{{% include '{name}' %}}" for name in TEXTS[after:]]
    plain = ["word ", "\n", "é", "{{ item }}", "{{ v }}", "{% set v = 'x' %}", "{% set v = v + item %}", "{ "]
    one = st.sampled_from([*plain, *including, *including])
    wrapped = st.sampled_from([
        "{%% for v in ['p', 'q'] %%}%s{%% endfor %%}", "{%% if item == 'it' %%}%s{%% endif %%}",
        "{%% set w %%}%s{%% endset %%}[{{ w }}]", "{%% if v == 'x' %%}%s{%% else %%}no{%% endif %%}",
        "{%%- with v = 'y' %%} %s{%% endwith -%%} ", "{%% raw %%}{{ %%}%s{%% endraw %%}",
    ])  # fmt: skip
    block = st.tuples(wrapped, st.lists(one, max_size=3)).map(lambda it: it[0] % "".join(it[1]))
    return st.lists(st.one_of(one, block), max_size=5).map("".join)


@given(st.tuples(*(pieces(at + 1) for at in range(len(TEXTS)))), pieces(0))
def test_it_is_what_jinja_makes_of_it(bodies: tuple[str, ...], body: str) -> None:
    texts = dict(zip(TEXTS, bodies, strict=True))
    first = f"{{% set v = 'm' %}}{body}."
    theirs = jinja2.Environment(loader=jinja2.DictLoader(texts), undefined=jinja2.StrictUndefined)
    try:
        ours = composed(texts, first)
    except SourceError as error:
        # what one text alone may include is bounded here, and not there
        assert all("texts are included" in fault.message for fault in error.faults)  # noqa: PT017
        return
    try:
        wanted = theirs.from_string(first).render(item="it")
    except jinja2.UndefinedError:
        # Jinja loses a name that a text reads in a captured block and sets again after it
        return
    assert ours.render(SCOPE) == wanted
    assert "{% include" not in ours.source.replace("{% raw %}", "{% endraw %}").split("{% endraw %}")[0]


@given(
    st.lists(st.sampled_from(TEXTS), unique=True),
    st.sampled_from(
        ["{{ nowhere }}", "{{ steps.nobody.output }}", "{{ item | nofilter }}", "{{ item item }}"]
    ),
)
def test_a_mistake_stands_where_it_was_written(chain: list[str], wrong: str) -> None:
    texts = dict.fromkeys(TEXTS, "é {{ item }}\n")
    bodies = [f"x\n{{% include '{name}' %}} {{% include 'd' %}}" for name in chain] + [f"é {wrong}{wrong}"]
    for name, body in zip(chain, bodies[1:], strict=True):
        texts[name] = body
    # whoever includes `d` where it is in the chain goes round in a circle
    wanted = {"{{ n": "nowhere", "{{ s": "nobody", "{{ item |": "nofilter"}
    found = [it for it in places(texts, bodies[0]) if "include each other" not in it[2]]
    if "{{ item i" in wrong:
        assert {(where, at) for where, at, _ in found} == {((["", *chain])[-1], "item")}
        return
    word = next(word for begin, word in wanted.items() if wrong.startswith(begin))
    assert {(where, at) for where, at, _ in found} == {((["", *chain])[-1], word)}


@pytest.mark.parametrize(
    ("texts", "where", "at", "message"),
    [
        ({"a.md": "{% include 'a.md' %}"}, "a.md", "{% include 'a.md' %}", "each other: a.md -> a.md"),
        (
            {"a.md": "x {% include 'd' %}", "d": "{%- include 'a.md' -%}"},
            "d",
            "{%- include 'a.md' -%}",
            "each other: a.md -> d -> a.md",
        ),
        ({}, "", "{% include 'a.md' %}", "there is no prompt 'a.md'"),
        ({"a.md": "{% include item %}"}, "a.md", "include", "takes one name in quotes"),
        ({"a.md": "{% include 'd' ~ 'e' %}"}, "a.md", "include", "takes one name in quotes"),
        ({"a.md": "{% include 'd' ignore missing %}"}, "a.md", "include", "takes one name in quotes"),
        ({"a.md": "{% include ['d'] %}"}, "a.md", "include", "takes one name in quotes"),
        ({"a.md": "{% if item %}"}, "a.md", "if", "`{% if %}` has no `{% endif %}`"),
        ({"a.md": "{% endfor %}"}, "a.md", "endfor", "unknown tag 'endfor'"),
        ({"a.md": "{{ 'x }}"}, "a.md", "'", "has no end"),
        ({"a.md": "{% set mine = 1 %}"}, "", "mine", "unknown name 'mine'"),
        ({"a.md": "{% import 'd' as d %}"}, "a.md", "import", "`import` is not available"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(texts: dict[str, str], where: str, at: str, message: str) -> None:
    first = "{% include 'a.md' %}" + ("{{ mine }}" if at == "mine" else "")
    ((found, marked, said),) = places(texts, first)
    assert (found, marked, message in said) == (where, at, True), said


def test_there_is_an_end_to_it() -> None:
    deep = {f"t{at}": f"{{% include 't{at + 1}' %}}" for at in range(MAX_DEPTH)} | {f"t{MAX_DEPTH}": "x"}
    assert f"{MAX_DEPTH} deep" in places(deep, "{% include 't0' %}")[0][2]
    assert composed(deep, "{% include 't1' %}").source == "x"
    wide = {"a.md": "{% include 'd' %}" * 11, "d": "{% include 'e.md' %}" * 11, "e.md": "x"}
    assert f"more than {MAX_INCLUSIONS} texts" in places(wide, "{% include 'a.md' %}")[0][2]
    long = {"a.md": "x" * 600_000}
    assert "1,000,000 characters" in places(long, "{% include 'a.md' %}{% include 'a.md' %}")[0][2]


def test_it_reads_what_the_included_texts_read() -> None:
    made = composed({"a.md": "{{ steps.scan.output }}"}, "See: {% include 'a.md' %}")
    assert (set(made.steps), made.included) == ({"scan"}, ("/a.md",))
    assert made.source == "See: {{ steps.scan.output }}"
    # which text fails as it is rendered is said too
    failing = composed({"a.md": "no\n{{ item.deep }}"}, "{{ item }}{% include 'a.md' %}")
    with pytest.raises(TemplateError, match=r"in `\{\{ item.deep \}\}` of /a.md"):
        failing.render(SCOPE)
