from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.results import Json, StepResult
from pytest_lok.core.templates.scope import Loop, Scope, VisibleNames
from pytest_lok.core.templates.template import Template
from pytest_lok.errors import Fault, SourceError, TemplateError
from tests.core.scopes import IN_LOOP, LOOP, NAMES, SCOPE, TEXT, as_data, faults_of, passed, places


def render(source: str, scope: Scope = SCOPE, names: VisibleNames = NAMES) -> str:
    return Template.parse(source, names).render(scope)


def failure(source: str, scope: Scope = SCOPE, names: VisibleNames = NAMES) -> TemplateError:
    template = Template.parse(source, names)
    with pytest.raises(TemplateError) as caught:
        template.render(scope)
    return caught.value


@pytest.mark.parametrize(
    ("source", "text"),
    [
        # the output
        ("{{ steps.scan.output }}", TEXT),
        ("{{steps.scan.output}}", TEXT),
        ("{{ steps['scan'].output }}", TEXT),
        ("{{ steps.scan['output'] }}", TEXT),
        ("{{ steps.2fa-check.output }}", "  PASS\n"),
        ("{{ steps.deep-audit.output.findings[0].title }}", "SQL"),
        ("{{ steps.list.output }}", '["x", "y"]'),
        ("{{ steps.list.output[1] }}", "y"),
        ("{{ steps.list.output | length }}", "2"),
        ("{{ steps.list.output | join('+') }}", "x+y"),
        ("{% for one in steps.list.output %}<{{ one }}>{% endfor %}", "<x><y>"),
        ("{{ 'x' in steps.list.output }}", "true"),
        ("{{ steps.list.output[0:1] }}", '["x"]'),
        ("{{ steps.2fa-check.output | length }}", "7"),
        ("{{ steps.2fa-check.output[2:6] }}", "PASS"),
        ("{{ steps.unneeded.output }}|", "|"),
        ("{{ steps.soft.output }}", "Error: check error: it broke"),
        ("{{ steps.not.output }}{{ steps.item.output }}", "yesstep item"),
        # fields
        ("{{ steps.scan.title }}", "T"),
        ("{{ steps.scan.n }}", "3"),
        ("{{ steps.scan.n + 1 }}", "4"),
        ("{{ steps.scan.n-1 }}", "2"),
        ("{{ steps.scan.n-steps.scan.n }}", "0"),
        ("{{ steps.scan.ok }}", "true"),
        ("{{ steps.scan.tags }}", '["a", "b"]'),
        ("{{ steps.scan.output.title }}", "T"),
        ("{{ steps.deep-audit.count }}", "2"),
        ("{{ steps.deep-audit.nothing }}", "null"),
        ("{{ steps.deep-audit.exit-code }}", "5"),
        ("{{ steps.deep-audit.output['exit-code'] }}", "5"),
        (
            "{{ steps.deep-audit.findings[1] }}",
            '{"title": "XSS", "severity": "low", "items": [], "index": 8}',
        ),
        ("{{ steps.deep-audit.findings.0.items }}", "[1, 2]"),
        ("{{ steps.deep-audit.findings[0].index }}", "7"),
        # facts that decide win over fields of their name; the output keeps those
        ("{{ steps.scan.reason }}|{{ steps.scan.output.reason }}", "R|R"),
        ("{{ steps.scan.outcome }} {{ steps.soft.outcome }}", "passed soft"),
        ("{{ steps.scan.success }} {{ steps.soft.success }}", "true false"),
        ("{{ steps.scan.failed }} {{ steps.soft.failed }} {{ steps.unneeded.failed }}", "false true false"),
        ("{{ steps.unneeded.skipped }} {{ steps.unneeded.passed }}", "true false"),
        ("{{ steps.soft.reason }}", "exit code 1"),
        ("{{ steps.scan.seconds }}", "1.5"),
        ("{{ steps.scan.backend }}", "claude"),
        ("{{ steps.scan.replies.claude }}", "from claude"),
        ("{{ steps.scan.replies['claude'] }}", "from claude"),
        # arguments, environment, workflow, project
        ("{{ arg.focus }} {{ arg.1 }} {{ arg[1] }} {{ arg['focus'] }}", "auth main..HEAD main..HEAD auth"),
        ("{{ arg.max-n | default('10') }}", "10"),
        ("{{ arg.2 | default('none') }}", "none"),
        ("{{ env.HOME }}{{ env.EMPTY }}{{ env['HOME'] }}", "/home/me/home/me"),
        ("{{ env.NOPE | default('-') }}{{ env.NOPE | d('.') }}", "-."),
        ("{{ workflow.name }}: {{ workflow.backends }}", "review: Claude + Codex"),
        (
            "{{ project.language }} {{ project.root }} {{ project.tools | join(',') }}",
            "python /src ruff,mypy",
        ),
        # values as text
        ("{{ true }} {{ none }} {{ 1.5 }} {{ 'é' }} {{ ['é', none] }}", 'true null 1.5 é ["é", null]'),
        ("{{ {'a': steps.list.output, 'b': range(2)} }}", '{"a": "[\\"x\\", \\"y\\"]", "b": [0, 1]}'),
        ("{{ range(3) }}", "[0, 1, 2]"),
        ("{{ steps.deep-audit.findings | map(attribute='title') }}", '["SQL", "XSS"]'),
        ("{{ steps.scan.tags ~ '/' ~ steps.scan.n }}", '["a", "b"]/3'),
        (
            "{{ steps.list.output | tojson }} {{ steps.scan.tags | json(indent=1) }}",
            '["x", "y"] [\n "a",\n "b"\n]',
        ),
        # methods are called, fields are not
        ("{{ steps.scan.title.lower() }}", "t"),
        ("{{ steps.2fa-check.output.strip() }}", "PASS"),
        (
            "{% for k, v in steps.deep-audit.findings[1].items() %}{{ k }} {% endfor %}",
            "title severity items index ",
        ),
        ("{{ ', '.join(steps.list.output) }}", "x, y"),
        ("{{ steps.scan.output.title.replace('T', 'U') }}", "U"),
        # filters and tests
        ("{{ steps.plain.output | upper | truncate(5, true, '') }}", "NO JS"),
        ("{{ steps.deep-audit.findings | selectattr('severity', 'eq', 'low') | list | length }}", "1"),
        ("{{ '%.2f' | format(3.14159) }} {{ '%s!' % 'a' }}", "3.14 a!"),
        ("{{ ' [1, 2] ' | from_json | sum }}", "3"),
        ("{{ 'a\n\nb\n' | lines }}", '["a", "b"]'),
        ("{{ '--flag' | allow_dash }}", "--flag"),
        ("{{ steps.scan.zzz is defined }} {{ steps.scan.title is defined }}", "false true"),
        ("{{ steps.scan.zzz.deeper | default('d') }}", "d"),
        ("{% if steps.scan.output contains 'critical' and steps.soft.failed %}!{% endif %}", "!"),
        ("{% set x = steps.scan.n %}{% set x = x + 1 %}{{ x }}", "4"),
        ("{% macro twice(t) %}{{ t }}{{ t }}{% endmacro %}{{ twice('ab') }}", "abab"),
        ("{% for f in [{'end': 5, 'start': 3}] %}{{ f.end-f.start }}{% endfor %}", "2"),
        ("{{ steps.deep-audit.findings | join(', ', attribute='title') }}", "SQL, XSS"),
        ("{{ '%(a)s' | format(a=1) }}{{ [1, 2] | sum }}{{ [{'n': 2}] | sum('n') }}", "132"),
        ("{{ steps.list.output is sequence }} {{ steps.deep-audit.output is mapping }}", "true true"),
        ("{{ steps.list.output is mapping }} {{ steps.plain.output is mapping }}", "false false"),
        ("{% if steps.list.output %}some{% endif %}{% if steps.unneeded.output %}none{% endif %}", "some"),
        ("{% set a, b = steps.list.output %}{{ b }}{{ a }}", "yx"),
        ("{{ steps.list.output == ['x', 'y'] }} {{ steps.not.output != 'yes' }}", "true false"),
        ("{{ {steps.not.output: 1}['yes'] }}", "1"),
        ("{% for x in [7, 8] %}{{ loop.length }}{{ loop.revindex }} {% endfor %}", "22 21 "),
        ("{% for x in [7, 8] | map('string') %}{{ x }}{{ loop.cycle('a', 'b') }}{% endfor %}", "7a8b"),
        ("{% if [] | select %}no{% else %}yes{% endif %}", "yes"),
        ("{% for x in [1, 2] %}{{ loop.index-1 }}{{ loop.last }} {% endfor %}", "0false 1true "),
        # text around
        ("plain text } } %} }}", "plain text } } %} }}"),
        ("{# no comments #} {{ 1 }} {# here {{ 2 }} #}", "{# no comments #} 1 {# here 2 #}"),
        ("{% raw %}{{ x }} {% y %}{% endraw %}{{ 1 }}", "{{ x }} {% y %}1"),
        ("{{ '{{' }}", "{{"),
        ("a  {{- 1 -}}  b", "a1b"),
        ("# a {{ 1 }}\n## b\n", "# a 1\n## b\n"),
        ("{{ 1 }}\n", "1\n"),
        ("a\r\nb{{ 1 }}\r\n", "a\r\nb1\r\n"),
        ("<b>{{ '<&>' }}</b>", "<b><&></b>"),
        (r"{{ '\d\.\b' }}|{{ '\n\t\\\'' }}|{{ '\x41\u00e9' }}", "\\d\\.\\b|\n\t\\'|Aé"),
    ],
)
def test_renders(source: str, text: str) -> None:
    assert render(source) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ item.file }}:{{ item.the-line }} #{{ index }}", "a.py:3 #2"),
        ("{{ item }}", '{"file": "a.py", "the-line": 3, "items": 1}'),
        ("{{ item.items }} {{ item['the-line'] }}", "1 3"),
        ("{{ index+1 }}{{ index-1 }}", "31"),
        ("{{ item.nope | default('?') }}", "?"),
        ("{% for item in [1, 2] %}{{ item }}{% endfor %}", "12"),
        ("{{ steps.item.output }}", "step item"),
    ],
)
def test_renders_in_a_loop(source: str, text: str) -> None:
    assert render(source, LOOP, IN_LOOP) == text


def test_an_item_may_be_any_json() -> None:
    items: list[tuple[Json, str]] = [("a b", "a b"), (3, "3"), (None, "null"), ([1, "x"], '[1, "x"]')]
    for item, text in items:
        scope = dataclasses.replace(SCOPE, loop=Loop(item=item, index=0))
        assert render("{{ item }}", scope, IN_LOOP) == text


def test_workflow_backends_before_any_answered() -> None:
    assert render("{{ workflow.backends }}", dataclasses.replace(SCOPE, backends=())) == "lok"


def test_a_name_of_its_own_may_be_called_item_outside_a_loop() -> None:
    assert render("{% for item in steps.list.output %}{{ item }}{% endfor %}") == "xy"


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        (
            "{{ steps.scan.nope }}",
            "step 'scan' has no field 'nope'; its JSON has n, ok, reason, tags, title",
            "default",
        ),
        ("{{ steps.plain.nope }}", "step 'plain' has no field 'nope': the output holds no JSON", "default"),
        (
            "{{ steps.list.nope }}",
            "step 'list' has no field 'nope': its JSON is an array, not an object",
            "default",
        ),
        ("{{ steps.unneeded.nope }}", "step 'unneeded' has no field 'nope': it was skipped", "default"),
        (
            "{{ steps.deep-audit.findings[0].titel }}",
            "there is no field 'titel'; there is index, items",
            "default",
        ),
        ("{{ steps.deep-audit.findings[9].title }}", "there is no item 9 in an array", "default"),
        ("{{ steps.deep-audit.findings.title }}", "an array has no field 'title'", "default"),
        ("{{ steps.scan.title.x }}", "a string has no field 'x'", "default"),
        (
            "{{ steps.scan.output.title() }}{{ steps.scan.n.upper() }}",
            "a number has no method upper()",
            "for texts",
        ),
        (
            "{{ steps.soft.replies.codex }}",
            "step 'soft' has no reply of 'codex' (timed out after 5 s)",
            "default",
        ),
        ("{{ arg.max-n }}", "argument 'max-n' is not given", "--max-n VALUE"),
        ("{{ arg.2 }}", "positional argument 2 is not given", "after the name"),
        ("{{ env.NOPE }}", "environment variable NOPE is not set", "default"),
        ("{{ steps.scan.n + 'x' }}", "unsupported operand", ""),
        ("{{ 1 / 0 }}", "division by zero", ""),
        ("{{ {'a': steps.scan.zzz} }}", "step 'scan' has no field 'zzz'", "default"),
        ("{{ steps.scan.zzz == 1 }}", "step 'scan' has no field 'zzz'", "default"),
        ("{% if steps.scan.zzz %}{% endif %}", "step 'scan' has no field 'zzz'", "default"),
        ("{{ steps.scan.replies }}", "a group of names is no value", "dot"),
        ("{{ steps.scan.zzz.upper() }}", "step 'scan' has no field 'zzz'", "default"),
        ("{{ steps.deep-audit.findings | map(attribute='titel') }}", "there is no field 'titel'", "default"),
        ("{{ '%s' | format(1, a=2) }}", "by position or by name, not both", ""),
        ("{{ ['a'] | sum }}", "only numbers can be added up, not a string", "int"),
        ("{{ [1] | sum(start=[]) }}", "only numbers can be added up", ""),
        ("{% macro m() %}{% endmacro %}{{ m }}", "Macro is no value", "call it"),
        ("{% if false %}{% set a = 1 %}{% endif %}{{ a }}", "'a' is undefined", ""),
        ("{{ 'x' | from_json }}", "the output holds no JSON", "json"),
        ("{{ 5 | join }}", "only an array can be joined", ""),
    ],
)
def test_a_missing_value_is_named(source: str, message: str, hint: str) -> None:
    error = failure(source)
    assert message in error.message
    assert hint in error.hint


def test_the_message_shows_the_tag_that_failed() -> None:
    assert "(in `{{ env.NOPE }}`)" in failure("a {{ 1 }} b\n{{ env.NOPE }} c {{ 2 }}").message
    assert "(in `{{ 1 + env.NOPE }}`)" in failure("a {{ 1 }} b\n{{ 1 + env.NOPE }} c {{ 2 }}").message
    assert "(in `{% for x in env.NOPE %}`)" in failure("{{ 1 }}{% for x in env.NOPE %}{% endfor %}").message
    long = failure("{{ env.NOPE ~ '" + "x" * 1000 + "' }}").message
    assert len(long) < 300


def test_outside_its_loop_an_item_is_missing() -> None:
    assert failure("{{ item }}", SCOPE, IN_LOOP).message == "'item' is undefined (in `{{ item }}`)"


def test_a_step_without_result_is_an_error() -> None:
    assert "step 'scan' has no result" in failure("{{ steps.scan.output }}", Scope()).message


@pytest.mark.parametrize(
    ("source", "at", "message", "hint"),
    [
        ("{{ steps.scam.output }}", "scam", "there is no step 'scam'", "did you mean `scan`"),
        ("{{ steps.deep-audti.output }}", "deep-audti", "there is no step 'deep-audti'", "deep-audit"),
        (
            "{{ steps.wholly-other.output }}",
            "wholly-other",
            "there is no step",
            "2fa-check, deep-audit, item",
        ),
        ("{{ steps['scam'].output }}", "'scam'", "there is no step 'scam'", "scan"),
        ("{{ steps.0x1f.output }}", "0x1f", "there is no step '0x1f'", ""),
        ("{{ steps[arg.1].output }}", "steps", "must be written out", "steps.NAME.output"),
        ("{{ steps }}", "steps", "needs a name after it", "steps.NAME.output"),
        ("{{ steps.scan }}", "scan", "step 'scan' is not a value", "steps.scan.output"),
        ("{% set x = steps.scan %}", "scan", "is not a value", "steps.scan.output"),
        ("{{ scan.output }}", "scan", "unknown name 'scan'", "steps.scan.output"),
        ("{{ deep-audit.output }}", "deep-audit", "unknown name 'deep-audit'", "steps.deep-audit.output"),
        ("{{ arg.fokus }}", "fokus", "there is no argument 'fokus'", "did you mean `focus`"),
        ("{{ arg.max-m }}", "max-m", "there is no argument 'max-m'", "max-n"),
        ("{{ arg.entirely }}", "entirely", "there is no argument", "[args.entirely]"),
        ("{{ arg.0 }}", "0", "count from 1", "arg.1"),
        ("{{ arg }}", "arg", "needs a name", "arg.1"),
        ("{{ env }}", "env", "needs a name", "env.NAME"),
        ("{{ env[arg.1] }}", "env", "must be written out", "env.NAME"),
        ("{{ workflow.nam }}", "nam", "`workflow` has no 'nam'", "workflow.backends"),
        ("{{ project.tool }}", "tool", "`project` has no 'tool'", "project.tools"),
        ("{{ item.x }}", "item", "unknown name 'item'", "steps.item.output"),
        ("{{ index }}", "index", "unknown name 'index'", "not in `when`"),
        ("{{ output }}", "output", "unknown name 'output'", "assert"),
        ("{{ outptu }}", "outptu", "unknown name 'outptu'", "known are"),
        ("{{ stepz.scan.output }}", "stepz", "unknown name 'stepz'", "did you mean `steps`"),
        ("{{ self }}", "self", "unknown name 'self'", "known are"),
        ("{{ 'a' | uper }}", "uper", "there is no filter 'uper'", "did you mean `upper`"),
        ("{{ 'a' | safe }}", "safe", "there is no filter 'safe'", "allow_dash"),
        ("{{ 1 is evn }}", "evn", "there is no test 'evn'", "did you mean `even`"),
        ("{{ 1 is not  evn }}", "evn", "there is no test 'evn'", "did you mean `even`"),
        ("{{ contain('a', 'b') }}", "contain", "there is no function 'contain'", "contains"),
        ("{{ contains('a') }}", "contains", "missing a required argument", ""),
        ("{{ contains }}", "contains", "is a function", "contains(…)"),
        ("{{ 'a' | replace('b') }}", "replace", "missing a required argument: 'new'", ""),
        ("{{ 'a' | upper('b') }}", "upper", "too many positional", ""),
        ("{{ 'a' | replace('a', 'b', count=1, count=2) }}", "replace", "`count` is given twice", ""),
        ("{{ 'a'.format(1) }}", "format", "there is no method 'format'", "capitalize"),
        ("{{ steps.scan.output.titel() }}", "titel", "there is no method 'titel'", "title"),
        ("{{ ('a' | upper)() }}", ")", "only functions and methods can be called", ""),
        ("{% set steps = 1 %}", "steps", "has a meaning already", "another"),
        ("{% for env in [] %}{% endfor %}", "env", "has a meaning already", "another"),
        ("{% include 'x' %}", "include", "`include` is known in", ""),
        ("{% block a %}{% endblock %}", "block", "`block` is not available", ""),
        ("{% set ns.x = 1 %}", "ns", "is not available", ""),
        ("{% do x %}", "do", "unknown tag 'do'", ""),
        ("{{ steps.scan.output", "{{", "`{{` is never closed", ""),
        ("a {% if true", "{%", "`{%` is never closed", ""),
        ("{% if true %}x", "if", "`{% if %}` has no `{% endif %}`", ""),
        ("{% for x in [1] %}{% endif %}", "for", "unexpected 'endif': `{% for %}` has no `{% endfor %}`", ""),
        ("{% raw %}x", "", "`{% raw %}` has no `{% endraw %}`", ""),
        ("{{ }}", "}}", "expected an expression", ""),
        ("{{ a b }}", "b", "expected token `}}`, got 'b'", ""),
        ("{{ 'abc }}", "'", "the string that starts with ' has no end", ""),
        ("{{ $1 }}", "$", "unexpected character '$'", "arg.1"),
        ("docker ps --format '{{.Names}}'", ".", "unexpected '.'", "{{ '{{' }}"),
        ("{{ (1 }}", "}", "expected ')'", ""),
        ("{{ " + "9" * 5000 + " }}", "{{ " + "9" * 5000 + " }}", "too many digits", ""),
        ("{{ " + "(" * 60 + "1" + ")" * 60 + " }}", "(", "too many open brackets", ""),
        ("{{ " + "not " * 2000 + "1 }}", "{{ " + "not " * 2000 + "1 }}", "nested too deeply", ""),
        ("{{ 1" + " + 1" * 3000 + " }}", "{{ 1" + " + 1" * 3000 + " }}", "nested too deeply", ""),
    ],
)
def test_a_mistake_is_found_at_load(source: str, at: str, message: str, hint: str) -> None:
    faults = faults_of(Template.parse, source)
    assert places(source, faults)[0] == at
    assert message in faults[0].message
    assert hint in faults[0].hint


@pytest.mark.parametrize(
    ("source", "at"),
    [
        ("{{ steps.a.output }} {{ b }} {{ arg.c }} {{ env }}", ["a", "b", "c", "env"]),
        ("{{ steps.a.output | nope }}{% if d %}{% endif %}", ["a", "nope", "d"]),
        ("{{ a b }} {{ steps.c.output }} {{ }}", ["b", "c", "}}"]),
        ("é\r\n{{ zwei }}\r\n\t{{- drei }}", ["zwei", "drei"]),
    ],
)
def test_all_mistakes_are_found_at_once(source: str, at: list[str]) -> None:
    assert places(source, faults_of(Template.parse, source)) == at


def test_too_much_nesting_of_statements_is_found_at_load() -> None:
    for source in ["{% for a in [1] %}" * 25 + "{% endfor %}" * 25, "{% macro f(a, a) %}{% endmacro %}"]:
        (fault,) = faults_of(Template.parse, source)
        assert "cannot be compiled" in fault.message


def test_knows_the_steps_it_reads() -> None:
    source = "{{ steps.scan.output }}{% if steps.deep-audit.count > 1 %}{{ steps['list'].output }}{% endif %}"
    assert Template.parse(source, NAMES).steps == {"scan", "deep-audit", "list"}
    assert Template.parse("{% raw %}{{ steps.scan.output }}{% endraw %}", NAMES).steps == frozenset()


def test_knows_the_arguments_it_cannot_do_without() -> None:
    def needed(source: str) -> frozenset[str]:
        return Template.parse(source, NAMES).arguments

    assert needed("{{ arg.focus }} {{ arg.2 }}") == {"focus", "2"}
    assert needed("{{ arg.focus | default('x') }} {{ arg.2 | d(arg.max-n) }}") == {"max-n"}
    assert needed("{% if arg.focus is defined %}{{ arg.focus }}{% endif %}") == frozenset()
    assert needed("{% if 'a' contains arg[1] %}{% endif %}") == {"1"}


def test_a_literal_is_never_rendered() -> None:
    text = "{{ steps.nope.output }} {% x"
    assert Template.literal(text).render(Scope()) == text
    assert Template.literal(text) == Template(text)


def test_equal_sources_are_equal_templates() -> None:
    assert Template.parse("{{ arg.1 }}", NAMES) == Template.parse("{{ arg.1 }}", NAMES)


def test_what_a_text_is_given_may_be_large() -> None:
    scope = Scope(steps={"big": passed("big", "x" * 40_000_000)})
    names = VisibleNames(steps=frozenset({"big"}))
    assert len(render("{{ steps.big.output }}", scope, names)) == 40_000_000
    assert len(render("{{ steps.big.output | trim }}!", scope, names)) == 40_000_001


HOSTILE = [
    "{{ 7*7 }}",
    "{% raw %}",
    "{% endraw %}",
    "{#",
    "#}",
    "{{",
    "}}",
    "{%",
    "%}",
    "{{ env.HOME }}",
    "\r\n",
    "'",
    '"',
]
values = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=10), max_size=6).map("".join)


@given(values)
def test_values_come_out_literally(value: str) -> None:
    scope = Scope(
        steps={"s": passed("s", value), "j": as_data("j", {"f": value})},
        arguments={"1": value},
        env={"V": value},
        loop=Loop(item=value, index=0),
    )
    names = VisibleNames(steps=frozenset({"s", "j"}), loop=True)
    for path in ["steps.s.output", "steps.j.f", "steps.j.output.f", "arg.1", "env.V", "item"]:
        assert render("{{ " + path + " }}", scope, names) == value
        assert render("a{% if true %}{{ " + path + " ~ '' }}{% endif %}b", scope, names) == f"a{value}b"


@given(st.text().filter(lambda text: "{{" not in text and "{%" not in text and not text.endswith("{")))
def test_text_around_tags_is_kept(text: str) -> None:
    assert render(text) == text
    assert render(text + "{{ 1 }}" + text) == f"{text}1{text}"


name_of = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)


@given(name_of, name_of)
def test_any_step_name_resolves(name: str, other: str) -> None:
    scope = Scope(steps={n: passed(n, f"<{n}>") for n in (name, other)})
    names = VisibleNames(steps=frozenset({name, other}))
    template = Template.parse("{{ steps." + name + ".output }}", names)
    assert template.steps == {name}
    assert template.render(scope) == f"<{name}>"
    assert (
        render("{{ steps." + name + ".output ~ steps." + other + ".output }}", scope, names)
        == f"<{name}><{other}>"
    )


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,11}", fullmatch=True))
def test_any_argument_name_resolves(name: str) -> None:
    names = VisibleNames(arguments=frozenset({name}))
    assert render("{{ arg." + name + " }}", Scope(arguments={name: "v"}), names) == "v"


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_source_does_harm(before: str, inside: str) -> None:
    source = before + "{{ " + inside + " }}"
    faults: tuple[Fault, ...] = ()
    try:
        Template.parse(source, NAMES).render(SCOPE)
    except SourceError as error:
        faults = error.faults
    except TemplateError:
        pass
    assert all(0 <= fault.start <= fault.end <= len(source) for fault in faults)


def test_json_is_looked_for_only_when_a_field_is_read() -> None:
    broken = StepResult(name="s", outcome=passed("s", "").outcome, output='{"a": ')
    scope = Scope(steps={"s": broken})
    names = VisibleNames(steps=frozenset({"s"}))
    assert render("{{ steps.s.output }}{{ steps.s.outcome }}", scope, names) == '{"a": passed'
    assert "cut off" in failure("{{ steps.s.a }}", scope, names).message


@pytest.mark.parametrize(
    ("source", "given"),
    [
        ("Say [1].", "Say ."),
        ('Say {"a": [1]} or {{ steps.scan.output }}', f"Say  or {TEXT}"),
        ('{"a": [1], "b": "{{ steps.scan.output }}", "c": []} or []', None),
        ("{% if true %}[1] {{ steps.scan.output | trim }} [2{% endif %}", f" {TEXT.strip()} [2"),
        ("{{ steps.scan.output }}", TEXT),
        # what stands between two values is as little the author's alone as what stands around them
        ('{"a": "{{ steps.scan.output }}", "b": [1], "c": "{{ steps.scan.output }}"}', None),
        ('{"a": "{{ steps.scan.output }}", "b": [1], "c": "{"}', None),
        ('{"a": "]", "b": [1], "c": "{{ steps.scan.output }}"}', None),
        ('{"a": {{ steps.scan.output }}, "b": "}", "c": [1]}', None),
        ("{{ steps.scan.output }}, [1]}", None),
        ("{name}: {{ steps.scan.output }} [1] [see]", f"{{name}}: {TEXT}  [see]"),
    ],
)
def test_what_a_text_is_given_is_all_but_the_json_of_its_author(source: str, given: str | None) -> None:
    template = Template.parse(source, NAMES)
    text = template.render(SCOPE)
    whole = text.removesuffix("[]")
    assert template.without_author_json(SCOPE, text) == (whole if given is None else given)
    assert Template.literal(source).without_author_json(SCOPE, source) == source
