from pytest_lok.core.text.suggestions import did_you_mean


def test_the_nearest_name_is_meant() -> None:
    assert did_you_mean("depend_on", ["depends_on", "name"]) == "did you mean `depends_on`?"


def test_where_none_is_near_nothing_is_asked() -> None:
    assert did_you_mean("xyz", ["depends_on", "name"]) == ""
    assert did_you_mean("xyz", []) == ""


def test_it_is_spelled_as_it_is_written_there() -> None:
    assert did_you_mean("rum", {"run": 1}, spelled="`lok {}`") == "did you mean `lok run`?"
    assert did_you_mean("{}a", ["{}b"], spelled="`steps.{}`") == "did you mean `steps.{}b`?"
