"""``since = "reviewed"``: only what changed is asked about, and the verdict is that of the whole change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_lok.core.findings.reviewed import seal, unseal
from tests.cli.projects import Done, Project
from tests.cli.reviews import KEY, WORKFLOW, Reviewed
from tests.workspace.test_forge_reviews import There


@pytest.fixture
def change(project: Project, tmp_path: Path) -> Reviewed:
    (tmp_path / "outside").mkdir()
    return Reviewed(project, tmp_path / "outside")


def test_a_change_is_reviewed_push_by_push(change: Reviewed) -> None:
    change.begin(a__py="1\n", b__py="1\n", c__py="1\n")
    first = change.commit(a__py="1\nBUG a\n", b__py="1\nBUG b\n")
    done = change.run()
    assert (done.code, change.told(done)) == (
        1,
        f"the whole change was asked about: there is no state in {change.state} yet",
    )
    second = change.commit(b__py="1\n2\n", c__py="1\nBUG c\n")
    (change.root / "home").mkdir(exist_ok=True)
    done = change.run("--report", "markdown=home/comment.md")
    assert (done.code, change.found(done)) == (1, {("a.py", "BUG a"), ("c.py", "BUG c")})
    comment = (change.root / "home/comment.md").read_text()
    assert f"asked about the 2 files changed since {first[:12]}" in comment
    sections = {it["title"]: it["text"] for it in change.step(done)["sections"]}
    assert f"carried over from {first[:12]}" in sections["findings carried over"]
    assert change.told(done) == (
        f"asked about the 2 files changed since {first[:12]}; 1 finding of other files carried over"
    )
    assert "BUG a" not in change.prompts(done)
    carried = {it["path"]: it["carried"] for it in change.step(done)["findings"]}
    assert carried == {"a.py": first, "c.py": ""}
    # it is carried on from there
    change.commit(d__py="fine\n")
    done = change.run()
    assert change.found(done) == {("a.py", "BUG a"), ("c.py", "BUG c")}
    assert {it["path"]: it["carried"] for it in change.step(done)["findings"]} == {
        "a.py": first,
        "c.py": second,
    }
    change.commit(a__py="1\n", c__py="1\n2\n")
    done = change.run()
    assert (done.code, change.found(done)) == (0, set())
    assert "0 findings of other files carried over" in change.told(done)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("workflow", "the workflow changed since"),
        ("model", "a backend or its model changed since"),
        ("base", "the base changed since"),
        ("history", "is no ancestor of HEAD: history was rewritten"),
        ("gone", "is not in this clone"),
        ("same", "itself was reviewed before"),
        ("empty", "no file is another than in"),
        ("dirty", "there are uncommitted files"),
        ("key", "its seal is not of this key, so anybody may have written it"),
        ("no key", "LOK_STATE_KEY is not set, so no state can be believed"),
        ("forged", "its seal is not of this key"),
        ("rubbish", "it holds no state of a review"),
    ],
)
def test_what_does_not_fit_is_ignored_and_said(change: Reviewed, what: str, why: str) -> None:
    change.begin(a__py="1\n", b__py="1\n")
    change.commit(a__py="1\nBUG a\n")
    assert change.run().code == 1
    if what not in ("same", "empty"):
        change.commit(b__py="2\n")
    disturb(change, what)
    done = change.run()
    assert why in change.told(done)
    assert change.told(done).startswith("the whole change was asked about: ")
    assert (done.code, change.found(done)) == (1, change.wanted())
    assert "BUG a" in change.prompts(done)


def disturb(change: Reviewed, what: str) -> None:
    match what:
        case "workflow":
            change.project.workflow("review", WORKFLOW + "# more\n")
            change.commit()
        case "model":
            change.settings("two")
            change.commit()
        case "base":
            change.git("switch", "-q", "main")
            change.commit(z__py="1\n")
            change.git("switch", "-q", "topic")
            change.git("merge", "-q", "--no-edit", "main")
        case "history":
            change.git("commit", "-q", "--amend", "-m", "other")
            change.git("reset", "-q", "--hard", "HEAD~2")
            change.commit(a__py="1\nBUG a\n", q__py="1\n")
        case "gone":
            state = unseal(change.state.read_text(), KEY)
            from dataclasses import replace

            change.state.write_text(seal(replace(state, head="d" * 40), KEY))
        case "empty":
            change.commit()
        case "dirty":
            change.write({"n.py": "1\n"})
        case "key":
            change.project.environ["LOK_STATE_KEY"] = KEY[::-1]
        case "no key":
            del change.project.environ["LOK_STATE_KEY"]
        case "forged":
            head, payload, digest = change.state.read_text().strip().split(".")
            state = unseal(change.state.read_text(), KEY)
            empty = seal(type(state)(base=state.base, head=state.head, conditions=state.conditions), "x" * 32)
            change.state.write_text(f"{head}.{empty.split('.')[1]}.{digest}")
            assert payload != empty.split(".")[1]
        case "rubbish":
            change.state.write_text("\0\xff lok-reviewed-1.é.00")


def test_a_review_that_is_not_whole_leaves_no_state(change: Reviewed) -> None:
    change.begin(a__py="1\n")
    change.commit(a__py="1\nBUG a\n")
    good = change.tool.read_text()
    change.tool.write_text(good.replace("print(json.dumps(found))", "print('I am not sure.')"))
    done = change.run()
    assert (done.code, change.state.exists()) == (3, False)
    change.tool.write_text(good)
    assert change.run().code == 1
    state = change.state.read_text()
    # the old state stays, and is as true as it was
    change.commit(b__py="BUG b\n")
    change.tool.write_text(good.replace("print(json.dumps(found))", "sys.exit(1)"))
    assert change.run().code in (1, 3)
    assert change.state.read_text() == state
    change.tool.write_text(good)
    done = change.run()
    assert change.found(done) == change.wanted() == {("a.py", "BUG a"), ("b.py", "BUG b")}


def test_a_carried_finding_blocks_where_nothing_is_left_to_ask(change: Reviewed) -> None:
    change.begin(a__py="1\n")
    change.commit(a__py="1\nBUG a\n")
    change.run()
    # a file in which there is no text
    change.project.root.joinpath("x.bin").write_bytes(b"\0\1\2")
    change.commit()
    done = change.run()
    assert (done.code, change.found(done)) == (1, {("a.py", "BUG a")})
    assert "had nothing to look at" in change.told(done)


def test_a_renamed_file_is_asked_about(change: Reviewed) -> None:
    text = "".join(f"{n}\n" for n in range(40))
    change.begin(a__py="1\n")
    change.commit(old__py=f"{text}BUG a\n")
    change.run()
    change.git("mv", "old.py", "new.py")
    change.commit()
    done = change.run()
    assert change.found(done) == change.wanted() == {("new.py", "BUG a")}


def test_today_s_gate_judges_what_is_carried(change: Reviewed) -> None:
    change.project.workflow("review", WORKFLOW.replace("[gate]", '[gate]\nbaseline = "new"'))
    change.begin(a__py="1\n")
    change.commit(a__py="1\nBUG a\n")
    (entry,) = change.step(change.run())["findings"]
    baseline = json.dumps({"findings": [{"fingerprint": entry["fingerprint"], "author": "Ada"}]})
    change.git("switch", "-q", "main")
    change.project.write(".lok/baseline.json", baseline)
    change.commit()
    change.git("switch", "-q", "topic")
    change.commit(b__py="2\n")
    done = change.run()
    assert (done.code, [it["standing"] for it in change.step(done)["findings"]]) == (0, ["known"])
    assert "1 finding of other files carried over" in change.told(done)


def test_a_step_that_judges_otherwise_is_shown_the_whole_change(change: Reviewed) -> None:
    other = (
        '[[steps]]\nname = "verdict"\nprompt = "{{ steps.change.output }}"\nassert = ["output == \'[]\'"]\n'
    )
    change.project.workflow("review", WORKFLOW + other)
    change.begin(a__py="1\n")
    change.commit(a__py="1\nBUG a\n")
    change.run()
    change.commit(b__py="2\n")
    done = change.run()
    assert "step verdict judges it, and reports no findings" in change.told(done)
    assert "BUG a" in change.prompts(done)


def test_a_command_whose_parts_nobody_could_tell_from_the_whole_is_told_nothing(change: Reviewed) -> None:
    for number, parts in enumerate((
        'shell = "lok parts --change branch"\noutput_format = "json"',
        'argv = ["sh", "-c", "lok parts --change branch"]\noutput_format = "json"',
        'shell = "echo ${LOK_REVIEWED:-nothing} >&2; lok parts --change branch"\noutput_format = "json"',
    )):  # fmt: skip
        before = WORKFLOW.replace(
            'argv = ["lok", "parts", "--change", "branch"]\noutput_format = "json"', parts
        )
        assert before != WORKFLOW
        change.project.workflow("review", before)
        if not number:
            change.begin(a__py="1\n")
        change.commit(a__py="1\nBUG a\n")
        change.run()
        change.commit(**{f"b{number}.py": "2\n"})
        done = change.run()
        assert change.told(done) == "the whole change was asked about: no step parts it"
        assert (done.code, change.found(done)) == (1, change.wanted())


def test_what_else_a_step_is_given_counts(change: Reviewed) -> None:
    guide = '[[steps]]\nname = "guide"\nshell = "cat guide.md"\n'
    workflow = WORKFLOW.replace("{{ item.text }}", "{{ steps.guide.output }}\\n{{ item.text }}")
    change.project.workflow("review", workflow + guide)
    change.begin(a__py="1\n", guide__md="be kind\n")
    change.commit(a__py="1\nBUG a\n")
    change.run()
    change.commit(b__py="2\n")
    assert "1 finding of other files carried over" in change.told(change.run())
    change.commit(guide__md="be strict\n")
    done = change.run()
    assert "what step review is given besides has changed" in change.told(done)


@pytest.mark.parametrize(
    "tag", ["{{ env.DEPTH }}", "{{ env['DEPTH'] }}", "{% if env.DEPTH == 'deep' %}deep{% endif %}"]
)
def test_a_variable_that_a_text_names_counts(change: Reviewed, tag: str) -> None:
    change.tool.write_text(change.tool.read_text().replace('"BUG" in line', '"BUG" in line and deep'))
    change.tool.write_text(
        change.tool.read_text()
        .replace("found, path =", "asked = sys.stdin.read()\ndeep, found, path = 'deep' in asked,")
        .replace("in sys.stdin.read().split", "in asked.split")
    )
    change.project.workflow("review", WORKFLOW.replace("{{ item", f"The env of this: {tag} {{{{ item"))
    change.begin(a__py="1\n", b__py="1\n")
    change.commit(a__py="1\nBUG a\n")
    change.project.environ |= {"DEPTH": "shallow"}
    assert change.run().code == 0
    change.commit(b__py="2\n")
    assert "asked about the 1 file" in change.told(change.run())
    change.commit(b__py="3\n")
    change.project.environ |= {"DEPTH": "deep"}
    done = change.run()
    assert "a variable that a text names changed since" in change.told(done)
    assert (done.code, change.found(done)) == (1, change.wanted())


def test_a_variable_that_a_backend_is_given_counts(change: Reviewed) -> None:
    settings = change.project.write("lok.toml", (change.root / "lok.toml").read_text() + 'env = ["SIZE"]\n')
    assert settings.read_text().count("env") == 1
    change.project.environ |= {"SIZE": "small"}
    change.begin(a__py="1\n", b__py="1\n")
    change.commit(a__py="1\nBUG a\n")
    assert change.run().code == 1
    change.commit(b__py="2\n")
    change.project.environ |= {"SIZE": "big"}
    assert "a backend or its model changed since" in change.told(change.run())


def test_nobody_outside_says_what_was_reviewed(change: Reviewed) -> None:
    change.begin(a__py="1\n")
    head = change.commit(a__py="1\nBUG a\n")
    change.project.environ["LOK_REVIEWED"] = head
    done = change.run()
    assert (done.code, "BUG a" in change.prompts(done)) == (1, True)


def test_a_gate_of_changes_that_nobody_trusts_knows_of_reviews_too(change: Reviewed) -> None:
    change.begin(a__py="1\n")
    first = change.commit(a__py="1\nBUG a\n")

    def gate() -> Done:
        words = ("gate", "review", "--base", "main", "--head", "HEAD", "--json", "--reviewed", change.state)
        return change.project.lok(*words)

    assert gate().code == 1
    change.commit(b__py="BUG b\n")
    done = gate()
    assert (done.code, change.found(done)) == (1, {("a.py", "BUG a"), ("b.py", "BUG b")})
    assert f"asked about the 1 file changed since {first[:12]}; 1 finding" in change.told(done)
    # what the change itself keeps is no state
    change.project.write("kept", change.state.read_text().replace("1.", "1.AAAA"))
    change.commit()
    change.state.write_text((change.root / "kept").read_text())
    assert "its seal is not of this key" in change.told(gate())


def test_the_state_travels_in_our_own_comment(change: Reviewed) -> None:
    there = There(change.root, "gh")
    change.project.environ["PATH"] = f"{change.root / 'bin'}:{change.project.environ['PATH']}"
    change.begin(a__py="1\n")
    head = change.commit(a__py="1\nBUG a\n")
    there.set(head=head)
    name = change.run().document["run_id"]
    told = change.project.lok("comment", name, "--pr", "12", "--reviewed", change.state)
    assert told.code == 0
    (body,) = there.bodies()
    assert change.state.read_text().strip() in body
    change.state.unlink()
    change.commit(b__py="2\n")
    done = change.run("--reviewed-from", "12")
    assert "1 finding of other files carried over" in change.told(done)
    assert change.state.exists()
    # of others' comments, and of edited ones, nothing is believed
    there.set(comments=[{"id": 1, "author": "eve", "body": body}])
    change.commit(b__py="3\n")
    assert "there is no state in the comment on 12 yet" in change.told(change.run("--reviewed-from", "12"))
    other = body.replace("lok-reviewed-1.", "lok-reviewed-1.AAAA")
    there.set(comments=[{"id": 1, "author": "lok[bot]", "body": other}])
    assert "its seal is not of this key" in change.told(change.run("--reviewed-from", "12"))
    there.set(comments=[], faults={})
    change.project.environ["PATH"] = change.project.environ["PATH"].replace(str(change.root / "bin"), "")
    done = change.run("--reviewed-from", "12")
    assert (done.code, change.found(done)) == (1, {("a.py", "BUG a")})


def test_the_options_need_a_gate_that_knows_of_them(change: Reviewed) -> None:
    change.project.workflow("review", WORKFLOW.replace('since = "reviewed"', ""))
    change.begin(a__py="1\n")
    done = change.run()
    assert (done.code, "asks about the whole change" in done.err) == (2, True)


def test_a_short_key_is_refused(change: Reviewed) -> None:
    change.begin(a__py="1\n")
    change.project.environ["LOK_STATE_KEY"] = "secret"
    done = change.run()
    assert (done.code, "LOK_STATE_KEY is too short" in done.err) == (2, True)


def test_without_the_options_the_whole_change_is_asked_about(change: Reviewed) -> None:
    change.begin(a__py="1\n")
    change.commit(a__py="1\nBUG a\n")
    done = change.project.lok("run", "review", "--json")
    assert change.told(done) == "the whole change was asked about: no state was given"
