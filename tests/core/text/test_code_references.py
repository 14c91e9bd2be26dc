"""What prose says of code: places and words."""

import pytest

from pytest_lok.core.text.code_references import code_places, excerpt, search_words

FILES = {"src/a.py", "lib/cache.rb", "a.py"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("it breaks in src/a.py:12 and lib/cache.rb:3", [("src/a.py", 12), ("lib/cache.rb", 3)]),
        ("see src/a.py#L7, src/a.py line 7 and src/a.py:7", [("src/a.py", 7)]),
        ("not ../src/a.py:1, /etc/passwd.txt:1, secret.py:1 or x/a.py:1", []),
        ("nor src/a.py:0 or src/a.pyx:3", []),
    ],
)
def test_only_places_in_files_of_the_project_are_taken(text: str, wanted: list[tuple[str, int]]) -> None:
    assert code_places(text, FILES) == wanted


def test_identifiers_come_before_longer_words_and_common_ones_are_no_words() -> None:
    text = "This does not work: parse_all and readFile give wrong authentication when the cache is cold"
    assert search_words(text) == ["parse_all", "readFile", "authentication", "cache", "give"]


def test_an_excerpt_is_numbered_and_stays_in_the_file() -> None:
    text = "".join(f"line {n}\n" for n in range(1, 6))
    assert excerpt(text, 2, around=1) == "    1  line 1\n    2  line 2\n    3  line 3"
    assert excerpt(text, 5, around=1).endswith("    5  line 5")
    assert excerpt(text, 6) == ""
