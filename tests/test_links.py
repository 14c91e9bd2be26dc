"""Every link between the pages of this repository leads somewhere, to a heading that is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(<?([^)\s>]*)|\b(?:src|href|srcset)=\"([^\"]*)\"")


def prose(page: Path) -> str:
    return CODE.sub(
        lambda found: " " if found[0].startswith("```") else found[0].replace("](", ""), page.read_text()
    )


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and the site give to headings; of equal ones the second has ``-1``."""
    found: list[str] = []
    for title in re.findall(r"^#{1,6} +(.+?) *$", prose(page), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        found.append(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return {name if not (n := found[:i].count(name)) else f"{name}-{n}" for i, name in enumerate(found)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for found in LINK.finditer(prose(page)):
        link = found[1] or found[2] or ""
        if re.match(r"[a-z]+:", link):
            continue  # the outside world is not asked
        if found_workflow := re.fullmatch(r"\.\./\.\./actions/workflows/([\w.-]+?)(/badge\.svg)?", link):
            link = f"{'../' * len(page.relative_to(ROOT).parts[1:])}.github/workflows/{found_workflow[1]}"  # GitHub's page of it
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not link or not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert pages - {"index.md"} == set(re.findall(r"\]\(([\w/-]+\.md)\)", index))


def test_the_places_that_contributors_are_sent_to_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    files = set(re.findall(r"`((?:pytest_lok|tests|docs)/[\w/.]+)`", text))
    assert len(files) > 15
    assert [name for name in files if not (ROOT / name).exists()] == []
    names = re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", text)
    assert len(names) > 5
    assert [
        (name, file)
        for name, file in names
        if not re.search(rf"^(class |def )?{name}\b", (ROOT / file).read_text(), re.MULTILINE)
    ] == []
    package = "\n".join(path.read_text() for path in (ROOT / "pytest_lok").rglob("*.py"))
    classes = set(re.findall(r"`(?:\w+ = )?([A-Z][a-z]\w*[A-Z]\w*)(?:\(\.\.\.\))?`", text))
    assert len(classes) > 3
    assert {name for name in classes if not re.search(rf"^class {name}\b", package, re.MULTILINE)} == set()


def test_what_is_dead_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`\n\n[a](#one-two) [b](page.md#one-two) [c](https://example.org/) `[d](no.md)`\n\n## One two\n"
    )
    test_every_link_leads_somewhere(page)
    assert anchors(page) == {"one-two", "one-two-1"}
    for dead in ("[a](#nowhere)", "[a](gone.md)", '<img src="gone.svg">', "[a](page.md#two)", "[a]()"):
        page.write_text(f"# One\n\n{dead}\n")
        with pytest.raises(AssertionError):
            test_every_link_leads_somewhere(page)
