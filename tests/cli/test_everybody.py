"""``consensus = "all"`` and ``backend = "all"``: every answer is kept, of whom is there or of whom is named."""

from __future__ import annotations

import pytest

from tests.cli.projects import Project

FLOW = '[[steps]]\nname = "s"\nprompt = "What is this?"\n'


def staff(project: Project, *, broken: str = "", settings: str = "") -> None:
    backends = "".join(
        f'[backends.{name}]\ntype = "scripted"\nstrengths = ["general"]\n[[backends.{name}.replies]]\n'
        + ('error = "overload"\n' if name == broken else f'reply = "{name} says"\n')
        for name in ("ann", "bob", "cid")
    )
    project.write("lok.toml", settings + backends)


def run(project: Project, flow: str, *options: str) -> tuple[int, str, int]:
    """The exit code, what is printed, and how many questions were paid for."""
    project.workflow("w", flow)
    plain = project.lok("w", *options)
    document = project.lok("w", "--json", *options).document
    return plain.code, plain.out, document["usage"]["calls"]


KEEP = FLOW + 'consensus = "all"\n'
EACH = "== ann ==\nann says\n\n== bob ==\nbob says\n\n== cid ==\ncid says\n"


@pytest.mark.parametrize(
    ("settings", "options", "said", "calls"),
    [
        ("", (), EACH, 3),
        ("", ("--all",), EACH, 3),
        ("", ("-b", "all"), EACH, 3),
        ("", ("-b", "cid,ann"), "== cid ==\ncid says\n\n== ann ==\nann says\n", 2),
        ("", ("-b", "auto"), "ann says\n", 1),
        ('[defaults]\nbackend = "bob"\n', (), "bob says\n", 1),
        ('[defaults]\nbackend = "bob"\n', ("--all",), EACH, 3),
        ('[defaults]\nbackend = "all"\n', (), EACH, 3),
    ],
)
def test_each_answer_is_kept_and_paid_once(
    project: Project, settings: str, options: tuple[str, ...], said: str, calls: int
) -> None:
    staff(project, settings=settings)
    assert run(project, KEEP, *options) == (0, said, calls)


@pytest.mark.parametrize(
    ("flow", "options", "code"),
    [
        (KEEP, (), 0),  # whoever is there: one answer is enough
        (KEEP, ("-b", "all"), 0),
        (KEEP, ("-b", "ann,bob"), 3),  # whoever is named has to answer
        (KEEP + 'backends = ["ann", "bob"]\n', (), 3),
        (KEEP + 'backends = ["ann", "bob"]\nquorum = 1\n', (), 0),
        (KEEP + 'backends = "all"\nquorum = "all"\n', (), 3),
    ],
)
def test_who_gives_no_answer_is_said(
    project: Project, flow: str, options: tuple[str, ...], code: int
) -> None:
    staff(project, broken="bob")
    project.workflow("w", flow)
    done = project.lok("w", *options, "-v")
    assert done.code == code
    assert "bob" in done.err
    assert ("== ann ==\nann says" in done.out) == (code == 0)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            'consensus = "vote"\nbackend = "all"\n',
            'counts named backends, and nobody knows how many "all" are',
        ),
        ('consensus = "vote"\n', "this step names none"),
        ('consensus = "all"\nbackend = "ann"\n', "asks only `ann`"),
        ('consensus = "all"\noutput_format = "json"\n', "this step needs one value"),
        ('consensus = "all"\napply_edits = true\n', "this step needs one value"),
        ('backend = ["all", "ann"]\n', "stands alone"),
    ],
)
def test_what_has_no_meaning_is_refused_before_anything(project: Project, keys: str, problem: str) -> None:
    staff(project)
    project.workflow("w", FLOW + keys)
    done = project.lok("w")
    assert (done.code, problem in done.err) == (2, True), done.err


def test_a_plan_says_who_would_be_asked(project: Project) -> None:
    staff(project)
    project.workflow("w", KEEP)
    done = project.lok("plan", "w")
    assert "s: asks ann, bob, cid; each answer is kept" in done.out
    assert "3 questions" in done.out
    only = project.lok("plan", "w", "-b", "ann")
    assert "s: asks ann\n" in only.out


def test_nobody_there_is_an_error(project: Project) -> None:
    project.environ["PATH"] = str(project.root)
    project.workflow("w", KEEP)
    done = project.lok("w")
    assert (done.code, "no backend can answer" in done.err) == (3, True)


def test_everybody_and_some_exclude_each_other(project: Project) -> None:
    staff(project)
    project.workflow("w", KEEP)
    for verb in ("w", "ask"):
        done = project.lok(verb, "--all", "-b", "ann", *(["x"] if verb == "ask" else []))
        assert (done.code, "leave one of them out" in done.err) == (2, True)
