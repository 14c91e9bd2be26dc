"""Workflows of llm-mux: what they say, said in lok; what cannot be said never passes, and all of it loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli
from hypothesis import given
from hypothesis import strategies as st

from pytest_lok.backends.scripted import Scripted
from pytest_lok.core.conversion.llm_mux import is_llm_mux, translate
from pytest_lok.core.conversion.translation import Translation
from pytest_lok.core.results import Outcome
from tests.engine.worlds import ran, world

REVIEW = """
name = "review"
description = "Look and mend"
version = 1
timeout = 60000
[args.what]
default = "a file"
required = false
[[steps]]
name = "look"
type = "shell"
run = "printf '%s\\\\n' {{ args.what | shell_escape }} two"
[[steps]]
name = "all.opinions"
type = "query"
role = "default"
parallel = true
depends_on = ["look"]
prompt = "Of {{ steps.look.output | truncate_chars(6) }}: {{ 'args.what' }}"
[[steps]]
name = "mend"
type = "query"
role = "default"
if = "args.what == 'a file' and steps.look.output contains 'args'  or true"
prompt = "Mend {{ steps.all.opinions.output }} in {{ steps.look.duration_ms | int }} ms"
[[steps]]
name = "write"
type = "apply"
source = "steps.mend"
depends_on = ["mend"]
verify = "test -e new.txt"
verify_retries = 1
rollback_on_failure = true
[[steps]]
name = "each"
type = "shell"
depends_on = ["write"]
for_each = "steps.look.output | lines"
run = "echo [{{ item }}]"
"""


def made(text: str) -> Translation:
    return translate(tomli.loads(text), "review.toml")


def test_it_does_here_what_it_did_there(tmp_path: Path) -> None:
    translation = made(REVIEW)
    # the model is to answer in another form
    assert [it.partition(":")[0] for it in translation.problems()] == ["step mend"]
    text = translation.text()
    assert "shell_escape" not in text
    assert "[budget]\ntime = 60000" in text
    backend = Scripted(
        "a", {"Mend": '{"edits": [{"file": "new.txt", "old": "", "new": "x"}]}', "": "an opinion"}
    )
    done = ran(text, world(tmp_path, backend))
    assert done.outcomes == dict.fromkeys(["look", "all-opinions", "mend", "each"], Outcome.PASSED), (
        done.result.steps
    )
    assert backend.asked[0].text == "Of a file: args.what"
    assert "Mend == a ==\nan opinion" in backend.asked[1].text or "Mend an opinion" in backend.asked[1].text
    assert [it.output for it in done.result.steps["each"].items] == ["[a file]", "[two]"]
    assert (tmp_path / "new.txt").read_text() == "x"


def test_what_cannot_be_said_is_an_error_and_a_comment(tmp_path: Path) -> None:
    translation = made("""
[[steps]]
name = "keep"
type = "store"
prompt = "x"
[[steps]]
name = "ask"
type = "query"
role = "coder"
parallel = true
min_success = 2
prompt = "For {{ ecosystem.name }}"
[[steps]]
name = "after"
type = "shell"
run = "eval {{ steps.ask.output }}"
depends_on = ["keep", "nobody"]
""")
    assert len(translation.problems()) >= 3
    text = translation.text()
    assert '#   type = "store"\n#   prompt = "x"\n' in text
    assert '#   shell = "eval {{ steps.ask.output }}"' in text
    assert "unknown name 'ecosystem'" in text
    done = ran(text, world(tmp_path, Scripted("a", "fine")))
    assert done.outcomes["keep"] is done.outcomes["ask"] is Outcome.ERROR
    assert done.outcomes["after"] is Outcome.ERROR
    assert done.result.exit_code == 3


VALUE = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(
    ["", "a", "b", "{{ args.x }}", "{{ steps.a.output }}", "{% if", "steps.a", "x y", "a.b", "steps.b.error"]
)  # fmt: skip
STEP = st.fixed_dictionaries(
    {"type": st.sampled_from(["shell", "query", "apply", "store", "input"])},
    optional={
        **dict.fromkeys(
            ("name", "role", "prompt", "run", "source", "verify", "if", "for_each", "parallel"), VALUE
        ),
        **dict.fromkeys(("min_success", "timeout", "retries", "verify_retries", "output_schema", "x"), VALUE),
        "depends_on": st.lists(VALUE, max_size=2),
    },
)


@given(
    st.lists(STEP, min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["name", "timeout", "args", "y"]), VALUE),
)
def test_whatever_stands_there_the_result_loads(steps: list[dict[str, Any]], top: dict[str, Any]) -> None:
    document = {**top, "steps": steps}
    assert is_llm_mux(document)
    # it loads, or this raises
    assert translate(document, "w.toml").text().count("\n[[steps]]\n") == len(
        tomli.loads(translate(document, "w").text())["steps"]
    )
