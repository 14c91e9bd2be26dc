import pytest

from pytest_lok.backends.cli.dialect import exit_error
from pytest_lok.engine.ports import Completed

NODE = """\
/usr/lib/node_modules/tool/main.js:7
      throw new Error("no settings");
Error: no settings in /root/.tool
    at load (/usr/lib/node_modules/tool/main.js:7:13)
    at async Promise.all (<anonymous>)
    at node:internal/main/run_main_module:28:49 {
  [
  }
}

Node.js v22.3.0
"""


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (NODE, "exit code 1: Error: no settings in /root/.tool"),
        ("warning: old\nat least one file is needed\n", "exit code 1: at least one file is needed"),
        ("Traceback:\n  File 'a.py', line 1\nValueError: no\n", "exit code 1: ValueError: no"),
        ("}\n{", "exit code 1: {"),
        ("", "exit code 1"),
    ],
    ids=["node", "words", "python", "brackets alone", "nothing"],
)
def test_of_a_crash_the_message_is_shown_and_no_frame(stderr: str, message: str) -> None:
    assert exit_error(Completed(exit_code=1, stdout="", stderr=stderr, seconds=1.0)).message == message


def test_a_line_that_seems_endless_is_read_once() -> None:
    said = "at " + "1:" * 200_000
    assert exit_error(Completed(exit_code=1, stdout="", stderr=said, seconds=1.0)).message.endswith(said)
