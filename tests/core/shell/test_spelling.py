"""How holes are spelled in a text, and the variables that stand for them."""

import pytest

from pytest_lok.core.shell.ast import Quoting
from pytest_lok.core.shell.spelling import escape_for_printf, reference, replace_spans, variable_names


def test_variables_have_names_that_the_text_does_not_use() -> None:
    assert variable_names("echo", 2) == ("lok_1", "lok_2")
    assert variable_names("echo $lok_1 $lok__2", 1) == ("lok___1",)


def test_a_reference_is_one_word_in_each_kind_of_quotes() -> None:
    assert [reference(quoting, "x") for quoting in Quoting] == ['"${x}"', "${x}", "'\"${x}\"'"]


def test_spans_are_replaced_in_whichever_order_they_come() -> None:
    assert replace_spans("a12b34", [(4, 6, "y"), (1, 3, "")]) == "aby"


@pytest.mark.parametrize(("value", "text"), [("%s\\n", "%%s\\\\n"), ("-v", "\\055v"), ("a-", "a-")])
def test_a_format_of_printf_prints_the_value(value: str, text: str) -> None:
    assert escape_for_printf(value) == text
