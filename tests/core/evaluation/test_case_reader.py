"""A case.toml is read whole, or every mistake in it is told with its place."""

from __future__ import annotations

import re

import jsonschema
import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.core.evaluation.case_document import schema
from pytest_lok.core.evaluation.case_reader import is_plain, read_case
from pytest_lok.errors import CaseError

PLACE = '[[must_block]]\npath = "a.py"\nlines = 1\n'
ID = "0123456789" * 4
BROKEN = {
    "": "1:1: the case does not say what must block",
    f"clean = true\n{PLACE}": "1:9: the case is clean, and names what must block",
    f'cleen = true\n{PLACE}': "1:1: unknown key `cleen`",
    PLACE.replace("must_block", "must_blok"): "1:3: unknown key `must_blok`",
    PLACE.replace("lines", "line"): "3:1: unknown key `line`",
    f'patch = "x"\nafter = "y"\n{PLACE}': "1:9: `after` and `patch` exclude each other",
    f'base = "{ID}"\n{PLACE}': "1:8: `base` is only one side",
    f'base = "{ID}"\nhead = "{ID}"\nbefore = "b"\n{PLACE}': "3:10: `before` and `base` exclude each other",
    f'base = "{ID}"\nhead = "{ID}"\npatch = "p"\n{PLACE}': "2:8: `patch` and `head` exclude each other",
    f'head = "{ID}"\n{PLACE}': "1:8: `head` needs `base`",
    f'base = "main"\npatch = "p"\n{PLACE}': "1:8: `base` is no whole id of a commit",
    f'patch = "/etc/passwd"\n{PLACE}': "1:9: `patch` is no plain relative path",
    f'before = "../.git/x"\n{PLACE}': "1:10: `before` is no plain relative path",
    f"margin = 51\n{PLACE}": "1:10: `margin` must be at most 50",
    '[[must_block]]\nlines = 1\n': "1:1: `path` is no file of the project",
    PLACE.replace("a.py", "../a.py"): "2:8: `path` is no file of the project",
    PLACE.replace("a.py", "./a.py"): "2:8: `path` is no file of the project",
    '[[must_block]]\npath = "a"\n': "1:1: the place has no `lines`, `quote` or `removed`",
    PLACE.replace("= 1", "= [3, 2]"): "3:9: `lines` are the first and the last line",
    PLACE.replace("= 1", "= [1, 2, 3]"): "3:9: `lines` are the first and the last line",
    PLACE.replace("= 1", "= 0"): "3:9: ",
    PLACE.replace("lines = 1", 'quote = " "'): "3:9: `quote` is empty",
    f"{PLACE}rule = ''\n": "4:8: `rule` is empty",
    "clean = true\n" + '[[must_not_block]]\npath = "a"\nlines = 1\n' * 51: "`must_not_block` has 51 places",
    "clean = \n": "1:9: this is not TOML",
}  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_a_mistake_is_told_at_its_place(text: str) -> None:
    with pytest.raises(CaseError) as wrong:
        read_case(text.encode(), name="c", path="c/case.toml")
    assert re.search(re.escape(BROKEN[text]), str(wrong.value)), str(wrong.value)


def test_all_mistakes_are_told_at_once() -> None:
    text = 'patch = "/x"\nafter = "y"\n[[must_block]]\npath = "a"\n[[must_block]]\nlines = [2, 1]\n'
    with pytest.raises(CaseError) as wrong:
        read_case(text.encode(), name="c", path="c")
    assert [it.line for it in wrong.value.problems] == [1, 1, 3, 5, 6]


def test_a_case_has_defaults() -> None:
    case = read_case(f"{PLACE}rule = ['x', 'y']\n".encode(), name="c", path="c")
    assert (case.change.before, case.change.after, case.margin) == ("before", "after", 3)
    assert (case.must_block[0].lines, case.must_block[0].rules) == ((1, 1), ("x", "y"))
    patched = read_case(f'patch = "p"\n{PLACE}'.encode(), name="c", path="c").change
    assert (patched.before, patched.after, patched.patch) == ("before", "", "p")
    commits = read_case(f'base = "{ID}"\nhead = "{ID}"\n{PLACE}'.encode(), name="c", path="c").change
    assert (commits.before, commits.after, commits.base) == ("", "", ID)


@given(
    st.text(st.sampled_from(list("[]mustblocknpathlines='\"1\n =#.")), max_size=60) | st.binary(max_size=40)
)
def test_any_text_is_a_case_or_a_mistake(text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    try:
        case = read_case(data, name="c", path="c")
    except CaseError:
        return
    assert case.clean or case.must_block


@given(st.text(st.sampled_from(list("ab./\\\0\n")), max_size=8))
def test_a_plain_path_stays_inside(path: str) -> None:
    if is_plain(path):
        parts = path.rstrip("/").split("/")
        assert all(part not in ("", ".", "..") for part in parts)


def test_the_schema_takes_what_the_reader_takes() -> None:
    known = schema()
    jsonschema.validate(tomli.loads(PLACE), known)
    jsonschema.validate(tomli.loads('clean = true\nbefore = "x"\npatch = "y"\n'), known)
    for text in ("clen = true\n", "margin = 51\n", "[[must_block]]\nlines = 1\n"):
        assert not jsonschema.Draft202012Validator(known).is_valid(tomli.loads(text)), text
