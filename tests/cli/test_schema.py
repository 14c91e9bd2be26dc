"""``lok schema``."""

import tomllib

import jsonschema

from tests.cli.projects import Project


def test_workflow_files_fit_their_schema(project: Project) -> None:
    schema = project.lok("schema").document
    good = tomllib.loads('[[steps]]\nname = "s"\nshell = "true"\ntimeout = "5s"\n')
    jsonschema.validate(good, schema)
    wrong = tomllib.loads('[[steps]]\nname = "s"\nshel = "true"\n')
    assert not jsonschema.Draft202012Validator(schema).is_valid(wrong)


def test_settings_fit_theirs(project: Project) -> None:
    project.lok("init", "--dir", ".")
    schema = project.lok("schema", "settings").document
    jsonschema.validate(tomllib.loads('[defaults]\ntimeout = "5m"\n'), schema)
    assert not jsonschema.Draft202012Validator(schema).is_valid({"defaults": {"timeuot": 5}})
