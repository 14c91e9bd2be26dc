"""``lok workflow list|show|validate``."""

from tests.cli.projects import Project

GOOD = 'description = "Does good"\n[[steps]]\nname = "s"\nshell = "touch ran"\n'
BAD = '[[steps]]\nname = "s"\nshell = "true"\nprompt = "?"\n[[steps]]\nname = "s"\nshell = "true"\n'


def test_a_list_shows_where_each_is_from_and_what_is_broken(project: Project) -> None:
    project.workflow("good", GOOD)
    project.workflow("bad", BAD)
    project.write("home/.config/lok/workflows/mine.toml", GOOD.replace("good", "mine"))
    rows = {line.split()[0]: line for line in project.lok("workflow", "list").out.splitlines()}
    assert "project" in rows["good"]
    assert rows["good"].endswith("Does good")
    assert "lok workflow validate bad" in rows["bad"]
    assert "user" in rows["mine"]


def test_a_list_counts_steps_and_takes_words(project: Project) -> None:
    project.workflow("good", GOOD)
    project.workflow(
        "other",
        "tags = ['nightly']\n" + GOOD + GOOD.replace('description = "Does good"', "").replace('"s"', '"t"'),
    )
    listed = project.lok("workflow", "list", "does", "GOOD").out.splitlines()
    assert [line.split() for line in listed] == [
        ["good", "project", "1", "step", "Does", "good"],
        ["other", "project", "2", "steps", "Does", "good"],
    ]
    assert [e["name"] for e in project.lok("workflow", "list", "nightly", "--json").document] == ["other"]
    none = project.lok("workflow", "list", "nowhere")
    assert (none.code, none.out) == (0, "")
    assert none.err == "no workflow has 'nowhere' in its name or description\n"


def test_a_list_for_programs(project: Project) -> None:
    project.workflow("good", "[args.x]\nrequired = true\n" + GOOD.replace("touch ran", "true"))
    entries = {entry["name"]: entry for entry in project.lok("workflow", "list", "--json").document}
    assert entries["good"]["args"][0]["name"] == "x"
    assert entries["good"]["collect"] is False


def test_a_file_is_shown_as_it_is(project: Project) -> None:
    project.workflow("good", GOOD)
    done = project.lok("workflow", "show", "good")
    assert (done.code, done.out) == (0, GOOD)
    assert "project" in done.err


def test_every_problem_of_every_file_is_shown_and_nothing_runs(project: Project) -> None:
    project.workflow("good", GOOD)
    project.workflow("bad", BAD)
    done = project.lok("workflow", "validate", "good", "bad", "missing")
    assert done.code == 2
    assert done.out == "good: valid\n"
    assert done.err.count("bad.toml:") >= 2
    assert "there is no workflow 'missing'" in done.err
    assert not (project.root / "ran").exists()


def test_validating_nothing_named_is_validating_the_project(project: Project) -> None:
    assert project.lok("workflow", "validate").code == 2
    project.workflow("good", GOOD)
    assert project.lok("workflow", "validate").out == "good: valid\n"
    project.workflow("bad", BAD)
    assert project.lok("workflow", "validate").code == 2


def test_validation_takes_paths_and_speaks_json(project: Project) -> None:
    project.write("here.toml", BAD)
    done = project.lok("workflow", "validate", "./here.toml", "--json")
    assert done.code == 2
    problems = done.document["./here.toml"]
    assert {problem["path"] for problem in problems} == {"here.toml"}
    assert all(problem["line"] and problem["message"] for problem in problems)


def test_a_name_that_means_nothing_has_no_place_in_a_file(project: Project) -> None:
    done = project.lok("workflow", "validate", "nope")
    assert done.code == 2
    assert done.err.startswith("nope: there is no workflow 'nope'\n")
