from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.results import Json
from pytest_lok.core.templates.checks.scores import Rubric
from pytest_lok.core.templates.condition import Condition
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.errors import TemplateError
from tests.core.scopes import IN_ASSERT, IN_LOOP, LOOP, NAMES, OWN, SCOPE, faults_of, passed, places


def holds(source: str, scope: Scope = SCOPE, names: VisibleNames = NAMES) -> bool:
    return Condition.parse(source, names).holds(scope)


def failure(source: str, scope: Scope = SCOPE, names: VisibleNames = NAMES) -> TemplateError:
    condition = Condition.parse(source, names)
    with pytest.raises(TemplateError) as caught:
        condition.holds(scope)
    return caught.value


@pytest.mark.parametrize(
    ("source", "truth"),
    [
        # lok's forms
        ("contains(scan.output, 'critical')", True),
        ("contains(scan.output,'nothing')", False),
        ("contains(scan.title, 'T')", True),
        ("contains(deep-audit.output, 'SQL')", True),
        ("contains(deep-audit.findings, 'SQL')", True),
        ("equals(2fa-check.output, 'PASS')", True),
        ("equals(2fa-check.output, 'PAS')", False),
        ("equals(scan.n, '3')", True),
        ("equals(scan.ok, 'true')", True),
        ("not(contains(scan.output, 'critical'))", False),
        ("not(equals(2fa-check.output, 'FAIL'))", True),
        ("steps.scan.output contains 'critical'", True),
        ("steps.deep-audit.output contains 'XSS'", True),
        ("steps.scan.success", True),
        ("steps.soft.success", False),
        ("not(steps.soft.success)", True),
        # what lok took for true, and now means what it says
        ("contains(steps.scan.output, 'nothing')", False),
        ("steps.soft.success == true", False),
        ("steps.2fa-check.output == 'PASS'", False),
        ("steps.2fa-check.output | trim == 'PASS'", True),
        ("equals(unneeded.output, '')", True),
        ("steps.scan.failed", False),
        ("  steps.soft.success", False),
        ("steps.soft.success and contains(scan.output, 'critical')", False),
        ("contains(scan.output, 'not(')", False),
        (r'steps.scan.output contains "\"title\": \"T\""', True),
        # the rest of the language
        ("scan.output contains 'critical' and not scan.output contains 'fine'", True),
        ("scan.output contains 'x' ~ 'y' or scan.success", True),
        ("scan.output not contains 'nothing'", True),
        ("scan.output contains 'critical' == true", True),
        ("'critical' in scan.output", True),
        ("'critical' not in scan.output", False),
        ("'x' in list.output and 'z' not in list.output", True),
        ("contains(list.output, 'y') and contains(scan.tags, 'a')", True),
        ("contains([1, 22], 2)", False),
        ("contains([1, 22], 22)", True),
        ("scan.n > 2 and scan.n <= 3 and scan.n != 4", True),
        ("deep-audit.findings | selectattr('severity', 'eq', 'critical') | list | length == 1", True),
        ("deep-audit.findings | selectattr('severity', 'eq', 'none') != []", False),
        ("deep-audit.count == 2", True),
        ("deep-audit.nothing == none", True),
        ("unneeded.output != ''", False),
        ("unneeded.skipped", True),
        ("steps.not.output == 'yes'", True),
        ("arg.1 == 'main..HEAD' and arg.focus | default('') == 'auth'", True),
        ("arg.max-n | default(3) | int > 2", True),
        ("env.NOPE is defined or project.language == 'python'", True),
        ("icontains(scan.output, 'CRITICAL')", True),
        ("matches(scan.output, '^The .* bug\\.')", True),
        (r"matches(scan.output, '\bbug\b') and not matches('bugs', '\bbug\b')", True),
        ("is_json(deep-audit.output) and not is_json(scan.output) and is_json('3')", True),
        ("('yes' if scan.ok else '') == 'yes'", True),
        ("true", True),
        ("false", False),
        # braces around are taken off
        ("{{ steps.scan.success }}", True),
        ("  {{ scan.output contains 'nothing' }}\n", False),
        ("{{- {'a': {'b': 1}}.a.b == 1 -}}", True),
        ("{'a': {'b': 1}}.a.b == 1", True),
        ("scan.success\n  and\r\n  scan.ok", True),
    ],
)
def test_holds(source: str, truth: bool) -> None:
    assert holds(source) is truth


@pytest.mark.parametrize(
    ("source", "truth"),
    [
        ("output contains 'fine'", True),
        ("json.verdict == 'fine'", True),
        ("output.verdict == 'fine'", True),
        ("findings | length == 0", True),
        ("findings == []", True),
        ("cost <= 0.5 and seconds < 3", True),
        ('rubric("names a file", backend="claude")', True),
        ("rubric('names a file', 'claude') and not rubric('is kind')", True),
        ("steps.scan.success and scan.ok", True),
        ("is_json(output)", True),
    ],
)
def test_an_assert_reads_the_steps_own_result(source: str, truth: bool) -> None:
    assert holds(source, OWN, IN_ASSERT) is truth


def test_own_names_where_they_are_not_known() -> None:
    def own(output: str) -> Scope:
        return dataclasses.replace(SCOPE, own=passed("me", output))

    assert holds("findings | length == 1", own('Found: [{"title": "x"}].'), IN_ASSERT)
    assert "the output holds no JSON" in failure("json.a", own("prose"), IN_ASSERT).message
    assert "the output holds no JSON" in failure("findings == []", own("prose"), IN_ASSERT).message
    assert "no findings" in failure("findings | length == 0", own('{"a": 1}'), IN_ASSERT).message
    assert "the cost is not known" in failure("cost < 1", own("x"), IN_ASSERT).message
    assert "nobody judged the rubric 'is new'" in failure("rubric('is new')", OWN, IN_ASSERT).message


def test_a_step_may_have_the_name_of_something_else() -> None:
    names = VisibleNames(steps=frozenset({"output", "1", "1-2", "contains", "steps"}))
    scope = Scope(steps={name: passed(name, name) for name in names.steps})
    for source in [
        "output.output == 'output'",
        "steps.steps.output == 'steps'",
        "contains.output contains 'contains'",
        "1-2.output == '1-2'",
        "3 > 1 and 1-2 == -1",
        "steps.1.output == '1'",
    ]:
        assert holds(source, scope, names), source
    asserting = dataclasses.replace(names, own=True)
    assert not holds("output == 'output'", dataclasses.replace(scope, own=passed("me", "own")), asserting)
    assert holds("steps.output.output == 'output'", scope, names)


def test_a_missing_value_is_named() -> None:
    for source in ["scan.zzz", "scan.zzz == 1", "scan.zzz if scan.ok else 1", "not scan.zzz"]:
        assert failure(source).message == (
            "step 'scan' has no field 'zzz'; its JSON has n, ok, reason, tags, title" + f" (in `{source}`)"
        )


def test_braces_inside_quotes_are_text() -> None:
    assert holds("not scan.output contains '{{ ' and '{% x' != '}}'")
    assert "(in `scan.zzz contains '{{ \"'`)" in failure("scan.zzz contains '{{ \"'").message


def test_item_and_index() -> None:
    assert holds("item.file == 'a.py' and index == 2 and index-1 == 1", LOOP, IN_LOOP)


@pytest.mark.parametrize(
    ("source", "at", "message", "hint"),
    [
        ("steps.scam.success", "scam", "there is no step 'scam'", "scan"),
        ("deep-audti.success", "deep-audti", "unknown name 'deep-audti'", "steps.deep-audit"),
        ("contains(scam.output, 'x')", "scam", "unknown name 'scam'", "steps.scan"),
        ("scan", "scan", "step 'scan' is not a value", "steps.scan.output"),
        ("deep-audit", "deep-audit", "step 'deep-audit' is not a value", "steps.deep-audit.output"),
        ("scan.output = 'x'", "=", "unexpected '='", "`==`"),
        ("scan.success && scan.ok", "&", "unexpected character '&'", "`and`"),
        ("scan.success || scan.ok", "|", "expected token 'name'", "`or`"),
        ("!scan.success", "!", "unexpected character '!'", "`not`"),
        ("scan.success scan.ok", "scan", "unexpected 'scan' after the expression", ""),
        ("scan.output contains", "contains", "unexpected end", ""),
        ("contains(scan.output, 'x'", ")", "", ""),
        ("", "", "the expression is empty", ""),
        ("  \n", "  \n", "the expression is empty", ""),
        ("{{ }}", "{{ }}", "", ""),
        ("{{ scan.ok }} and {{ scan.ok }}", "}}", "this is an expression already", "without braces"),
        ("not {{ scan.ok }}", "{{", "this is an expression already", "without braces"),
        ("scan.ok }}", "}}", "this is an expression already", "without braces"),
        ("{% if scan.ok %}", "%", "", ""),
        ("matches(scan.output, '(')", "'('", "the regular expression is wrong: missing )", ""),
        ("matches(scan.output)", "matches", "missing a required argument", ""),
        ("rubric('x')", "rubric", "in `assert` only", ""),
        ("output contains 'x'", "output", "unknown name 'output'", "assert"),
        ("cost < 1", "cost", "unknown name 'cost'", "assert"),
        ("contians(scan.output, 'x')", "contians", "no function 'contians'", "contains"),
        ("scan.output | lenght > 1", "lenght", "no filter 'lenght'", "length"),
        ("{{  steps.scam.success }}", "scam", "there is no step 'scam'", "scan"),
    ],
)
def test_a_mistake_is_found_at_load(source: str, at: str, message: str, hint: str) -> None:
    faults = faults_of(Condition.parse, source)
    assert message in faults[0].message
    assert hint in faults[0].hint
    if message:
        assert places(source, faults)[0] == at


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("rubric(output)", "takes quoted texts"),
        ("rubric('a', backend=arg.1)", "takes quoted texts"),
        ("rubric()", "missing a required argument"),
        ("rubric('a', 'b', '0-1', 'd') > 0", "too many positional arguments"),
        ("rubric('a', judge='b')", "unexpected keyword argument"),
        ("rubric(*['a'])", "takes quoted texts"),
    ],
)
def test_a_rubric_is_known_at_load(source: str, message: str) -> None:
    assert message in faults_of(Condition.parse, source, IN_ASSERT)[0].message


def test_all_mistakes_are_found_at_once() -> None:
    source = "contains(a.output, 'x') and steps.b.ok and not c-d.success and arg.e == 'e'"
    assert places(source, faults_of(Condition.parse, source)) == ["a", "b", "c-d", "e"]


def test_knows_what_it_needs() -> None:
    condition = Condition.parse(
        "scan.ok and steps.list.output != '' and rubric('a') and rubric('b', backend='claude')"
        " and rubric('a') and arg.2 != '' and arg.focus | default('') != 'x'",
        IN_ASSERT,
    )
    assert condition.steps == {"scan", "list"}
    assert condition.arguments == {"2"}
    assert condition.rubrics == (Rubric(text="a"), Rubric(text="b", backend="claude"))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("steps.list.output", ["x", "y"]),
        ("{{ steps.list.output }}", ["x", "y"]),
        ("list.output", ["x", "y"]),
        ("steps.scan.output.tags", ["a", "b"]),
        ("steps.scan.tags", ["a", "b"]),
        ("steps.scan.output", {"title": "T", "n": 3, "ok": True, "tags": ["a", "b"], "reason": "R"}),
        ("deep-audit.findings[0].items", [1, 2]),
        ("deep-audit.findings | map(attribute='title')", ["SQL", "XSS"]),
        ("range(3)", [0, 1, 2]),
        ("[scan.n, 'x']", [3, "x"]),
        ("arg.1", "main..HEAD"),
        ("""'["a", 1]'""", ["a", 1]),
        ("'3'", "3"),
        ("steps.2fa-check.output.split()", ["PASS"]),
        ("deep-audit.nothing", None),
        ("unneeded.output", []),
    ],
)
def test_value(source: str, value: Json) -> None:
    assert Condition.parse_value(source, NAMES).value(SCOPE) == value


def test_value_of_a_text_without_json_is_an_error() -> None:
    with pytest.raises(TemplateError, match=re.escape("the output holds no JSON (in `steps.plain.output`)")):
        Condition.parse_value("steps.plain.output", NAMES).value(SCOPE)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("scan.n > 5", ["scan.n > 5", "  where scan.n = 3"]),
        ("steps.soft.success", ["steps.soft.success", "  where steps.soft.success = false"]),
        (
            "contains(list.output, 'z') or scan.title == 'U'",
            [
                "contains(list.output, 'z') or scan.title == 'U'",
                "  where contains(list.output, 'z') = false",
                '  where list.output = \'["x", "y"]\'',
                "  where scan.title == 'U' = false",
                "  where scan.title = 'T'",
            ],
        ),
        (
            "{{ deep-audit.findings | length > 2 }}",
            [
                "{{ deep-audit.findings | length > 2 }}",
                "  where deep-audit.findings | length > 2 = false",
                "  where deep-audit.findings | length = 2",
            ],
        ),
        (
            "scan.ok and scan.zzz == 1",
            [
                "scan.ok and scan.zzz == 1",
                "  where scan.ok = true",
                "  where scan.zzz == 1 = (step 'scan' has no field 'zzz'; its JSON has n, ok, reason, tags, title)",
                "  where scan.zzz = (step 'scan' has no field 'zzz'; its JSON has n, ok, reason, tags, title)",
            ],
        ),
        ("not scan.success", ["not scan.success", "  where scan.success = true"]),
    ],
)
def test_explain(source: str, lines: list[str]) -> None:
    assert Condition.parse(source, NAMES).explain(SCOPE).split("\n") == lines


def test_explain_is_bounded() -> None:
    scope = dataclasses.replace(SCOPE, own=passed("me", "a" * 600 + "b" * 5_000_000 + "c" * 600))
    shown = Condition.parse("output == 'x'", IN_ASSERT).explain(scope)
    assert len(shown) < 2000
    assert "aaa … " in shown.replace("a" * 100, "a") or " … " in shown
    assert "(5,001,202 characters)" in shown


def test_equal_sources_are_equal_conditions() -> None:
    assert Condition.parse("scan.ok", NAMES) == Condition.parse("scan.ok", NAMES)
    assert Condition.parse("scan.ok", NAMES) != Condition.parse("scan.n", NAMES)


name_of = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,11}", fullmatch=True)
words = {"and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "contains"}


@given(name_of.filter(lambda name: name.lower() not in words))
def test_any_bare_step_name_resolves(name: str) -> None:
    names = VisibleNames(steps=frozenset({name}))
    scope = Scope(steps={name: passed(name, "<out>")})
    if name in ("steps", "arg", "env", "workflow", "project"):
        return
    assert holds(
        f"{name}.output == '<out>' and contains({name}.output, 'out') and {name}.success", scope, names
    )


@given(st.text())
def test_values_are_data(value: str) -> None:
    scope = Scope(steps={"s": passed("s", value)}, arguments={"1": value})
    names = VisibleNames(steps=frozenset({"s"}))
    assert holds("s.output == arg.1 and s.output contains arg.1 and equals(s.output, arg.1)", scope, names)


@given(st.text(alphabet=st.characters(exclude_characters="\r\n\\'", exclude_categories=["Cs"])))
def test_a_quoted_text_is_itself(text: str) -> None:
    scope = Scope(arguments={"1": text})
    assert holds(f"arg.1 == '{text}'", scope, VisibleNames())
