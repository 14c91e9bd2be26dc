"""What the words of tools and servers mean, and what a user can do about it."""

import pytest

from pytest_lok.backends.error_mapping import fault_of_text, remedy
from pytest_lok.errors import TRANSIENT, BackendFault


@pytest.mark.parametrize(
    "text",
    [
        "429",
        "429 Too many",
        "exit: 529",
        "request failed with 429",
        "first line\n  429: slow down\nlast line",
        "the request timed out",
        "connection timeout",
        "Network error",
        "fetch: socket hang up",
        "ECONNRESET",
    ],
)
def test_what_lok_asks_again_about_is_asked_again_about_here(text: str) -> None:
    assert fault_of_text(text) in TRANSIENT


@pytest.mark.parametrize(
    "text",
    [
        "Traceback: File x.py, line 429",
        "x.py:429: oops",
        "429:12 oops",
        "it made 429 edits to the file",
        "version 1.429",
        "unknown option --timeout",
        "",
    ],
)
def test_a_number_that_is_a_place_or_a_count_is_no_status(text: str) -> None:
    assert fault_of_text(text) not in TRANSIENT


@pytest.mark.parametrize("fault", BackendFault)
def test_a_remedy_speaks_of_no_step_for_a_question_need_have_none(fault: BackendFault) -> None:
    said = remedy(fault, "claude")
    assert said
    assert "step" not in said
    assert "retries" not in said
