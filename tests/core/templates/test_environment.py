"""Threat T9, the template engine: nothing gets out of a text, and none runs or grows without end."""

from __future__ import annotations

import pytest

from pytest_lok.core.templates.condition import Condition
from pytest_lok.core.templates.environment import ENVIRONMENT
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.core.templates.template import Template
from pytest_lok.errors import SourceError, TemplateError
from tests.core.scopes import IN_LOOP, LOOP, NAMES, SCOPE, passed

ESCAPES = [
    "''.__class__",
    "''['__class__']",
    "''['__cla' ~ 'ss__']",
    "''.__class__.__mro__[1].__subclasses__()",
    "[].__class__.__base__",
    "{}.__init__.__globals__",
    "().__class__",
    "(1).__class__",
    "none.__class__",
    "range.__self__",
    "range(1).__class__",
    "contains.__globals__",
    "contains.__globals__['os']",
    "self.__init__",
    "self._TemplateReference__context",
    "cycler.__init__.__globals__.os",
    "joiner",
    "lipsum.__globals__",
    "namespace()",
    "dict(a=1)",
    "get_flashed_messages",
    "request",
    "config",
    "context",
    "environment",
    "resolve('env')",
    "''|attr('__class__')",
    "['']|map('attr', '__class__')|list",
    "['']|map(attribute='__class__')|list",
    "['']|map(attribute='__class__.__mro__')|list",
    "['']|groupby('__class__')|list",
    "['']|selectattr('__class__')|list",
    "'{0.__class__}'.format('')",
    "'{0.__class__}'|format('')",
    "'{x.__class__}'.format_map({'x': 1})",
    "''.format",
    "[''.format]|map('call', 1)",
    "'%(a)s'.__mod__({})",
    "''.encode()",
    "''.translate({})",
    "[].append(1)",
    "[].sort()",
    "{}.update({'a': 1})",
    "{}.pop('a')",
    "{}.setdefault('a', 1)",
    "steps.scan.__class__",
    "steps.scan.result",
    "steps.scan._found",
    "steps.scan.json()",
    "steps.scan.field('output')",
    "steps.scan.output.view",
    "steps.scan.output.__class__",
    "steps.scan.output.plain()",
    "steps.scan.replies._find",
    "env.__class__",
    "env._find",
    "env.keys()",
    "env.items()",
    "env | list",
    "env | tojson",
    "arg.__init__.__globals__",
    "workflow.__class__",
    "item.__class__",
    "item.clear()",
    "item.update({})",
    "x y z",
    "steps.scan.output | pprint",
    "'a' | safe",
    "'a' | xmlattr",
    "1 is callable",
    "'upper' is filter",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_nothing_gets_out(escape: str) -> None:
    for source in [
        "{{ " + escape + " }}",
        "{% set x = " + escape + " %}{{ x }}",
    ]:
        with pytest.raises((SourceError, TemplateError)):
            Template.parse(source, IN_LOOP).render(LOOP)


@pytest.mark.parametrize(
    "source",
    [
        "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
        "{% for x in [1] %}{{ loop._iterable }}{% endfor %}",
        "{% for x in [1] %}{{ loop.cycle.__self__ }}{% endfor %}",
        "{% for x in [1] %}{{ loop }}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m.__class__ }}",
        "{% macro m() %}{% endmacro %}{{ m._func }}",
        "{% macro m() %}{{ caller._environment }}{% endmacro %}{% call m() %}{% endcall %}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% from 'os' import system %}",
        "{% extends 'x' %}",
        "{% autoescape true %}{{ '<' }}{% endautoescape %}",
    ],
)
def test_no_statement_gets_out(source: str) -> None:
    with pytest.raises((SourceError, TemplateError)):
        Template.parse(source, NAMES).render(SCOPE)


def test_what_a_text_can_reach_is_listed() -> None:
    assert sorted(ENVIRONMENT.globals) == [
        "contains",
        "equals",
        "icontains",
        "is_json",
        "matches",
        "range",
        "rubric",
        "similar",
    ]
    assert ENVIRONMENT.loader is None
    assert (
        not {"attr", "safe", "pprint", "xmlattr", "urlize", "random", "forceescape"}
        & ENVIRONMENT.filters.keys()
    )
    assert not {"callable", "filter", "test"} & ENVIRONMENT.tests.keys()


def test_values_are_rendered_once() -> None:
    for value in [
        "{{ 7*7 }}",
        "{% for x in range(9) %}x{% endfor %}",
        "{# c #}",
        "{{ env.HOME }}",
        "{% raw %}",
    ]:
        scope = Scope(steps={"s": passed("s", value)}, env={"HOME": "secret"})
        source = "{{ steps.s.output }}{% set x = steps.s.output %}{{ x ~ '' }}{{ [x] | join }}{{ x | replace('~', '') }}"
        assert Template.parse(source, VisibleNames(steps=frozenset({"s"}))).render(scope) == value * 4


MEGABYTE = "{% set a = 'x' * 1000000 %}"
ENDLESS = [
    "{{ 'x' * 10**8 }}",
    "{{ 10**8 * 'x' }}",
    "{{ [0] * 10**9 }}",
    "{{ (1,) * 10**9 }}",
    "{{ 2 ** (10**9) }}",
    "{{ 10 ** (10 ** 10) }}",
    "{{ (10**1000) * (10**1000) }}",
    "{{ '%0999999999d' | format(1) }}",
    "{{ '%.999999999f' | format(1) }}",
    "{{ '%*d' | format(999999999, 1) }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ 'x'.ljust(10**9) }}",
    "{{ 'x'.center(10**9) }}",
    "{{ 'x'.zfill(10**9) }}",
    "{{ '\t'.expandtabs(10**9) }}",
    "{{ 'x' | center(10**9) }}",
    "{{ 'x' | indent(10**9) }}",
    "{{ 'x' | wordwrap(0) }}",
    "{{ 'a b' | wordwrap(1, wrapstring='x' * 10**8) }}",
    "{{ [1] | batch(10**9, 0) | list }}",
    "{{ [1] | slice(10**9) | list }}",
    "{{ 1.5 | round(10**9) }}",
    "{{ {} | tojson(indent=10**9) }}",
    "{{ range(10**9) | list }}",
    "{{ range(10**9) | sum }}",
    "{% for i in range(10**9) %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{{ range(99999) | sum }}{% endfor %}",
    "{% for i in range(99999) %}{{ range(99999) | list | length }}{% endfor %}",
    "{% for i in range(99999) %}{{ range(99999) | map('string') | join }}{% endfor %}",
    "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    "{% for x in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    MEGABYTE + "{% set a = a + a %}" * 30,
    MEGABYTE + "{% set a = a ~ a %}" * 30,
    MEGABYTE + "{% set a = [a, a] | join %}" * 30,
    MEGABYTE + "{% set a = ''.join([a, a]) %}" * 30,
    MEGABYTE + "{% set a %}{{ a }}{{ a }}{% endset %}" * 30,
    MEGABYTE + "{% set a = '%s%s' | format(a, a) %}" * 30,
    MEGABYTE + "{% set a = [a, a] | tojson %}" * 30,
    MEGABYTE + "{{ a | replace('x', a) }}",
    MEGABYTE + "{{ a.replace('x', a) }}",
    MEGABYTE + "{{ a | replace('', a) }}",
    MEGABYTE + "{% for i in range(99999) %}{{ a }}{% endfor %}",
    MEGABYTE + "{% for i in range(99999) %}{% set b = a | upper %}{% endfor %}",
    MEGABYTE + "{% for i in range(99999) %}{% set b = a.upper() %}{% endfor %}",
    MEGABYTE + "{% for i in range(99999) %}{% set b = contains(a, 'y') %}{% endfor %}",
    MEGABYTE + "{% for i in range(99999) %}{% set b = a | list %}{% endfor %}",
    "{% set l = [1, 2] %}" + "{% set l = l + l %}" * 40,
    "{% set l = [1, 2] %}" + "{% set l = [l, l] %}" * 40 + "{{ l }}",
    "{% set l = [1, 2] %}{% set m = [1, 2] %}" + "{% set l = [l, l] %}{% set m = [m, m] %}" * 40 + "{{ l == m }}",
    "{% set l = [1] %}" + "{% set l = (l * 1000) | batch(1000) %}" * 40,
    "{% set l = [1] %}" + "{% set l = l | batch(9999, l) %}" * 40,
    "{% set l = {'a': 1} %}" + "{% set l = {'a': l, 'b': l} %}" * 40 + "{{ l }}",
    "{% set l = (1, 2) %}" + "{% set l = (l, l) %}" * 40 + "{{ l }}",
    "{{ ([[0] * 1000] * 10000) | sum(start=[]) | length }}",
    MEGABYTE + "{{ ('%s' * 10000) | format(*([a] * 10000)) }}",
    MEGABYTE + "{{ ('%(a)s' * 10000) | format(a=a) }}",
    MEGABYTE + "{{ 'a b c' | wordwrap(1, wrapstring=a) }}",
    "{{ " + "(" * 1000 + "1" + ")" * 1000 + " }}",
    "{{ " + "-" * 10000 + "1 }}",
    "{{ steps" + ".scan" * 10000 + " }}",
    "{{ 1" + "+1" * 10000 + " }}",
    "{{ 'a'" + " | upper" * 10000 + " }}",
    "{{ " + "9" * 1000000 + " }}",
    "{{ " * 10000,
    "{% if true %}" * 10000,
]  # fmt: skip


@pytest.mark.timeout(20)  # a hang guard; each takes well under a second
@pytest.mark.parametrize("source", ENDLESS, ids=range(len(ENDLESS)))
def test_none_runs_or_grows_without_end(source: str) -> None:
    with pytest.raises((SourceError, TemplateError)):
        Template.parse(source, NAMES).render(SCOPE)


@pytest.mark.timeout(20)
def test_a_regular_expression_ends() -> None:
    scope = Scope(arguments={"1": "a" * 40 + "!"})
    with pytest.raises(TemplateError, match=r"took more than 1 s"):
        Condition.parse("matches(arg.1, '^(a|a)*$')", VisibleNames()).holds(scope)


def test_a_wrong_regular_expression_out_of_a_value_is_an_error() -> None:
    with pytest.raises(TemplateError, match=r"the regular expression '\(' is wrong"):
        Condition.parse("matches('x', arg.1)", VisibleNames()).holds(Scope(arguments={"1": "("}))


def test_a_long_loop_over_what_is_given_is_fine() -> None:
    scope = Scope(steps={"s": passed("s", "x\n" * 100_000)})
    source = "{% for line in steps.s.output | lines %}{{ loop.last }}{% endfor %}"
    assert Template.parse(source, VisibleNames(steps=frozenset({"s"}))).render(scope).endswith("falsetrue")
