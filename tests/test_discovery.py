"""Names and paths -> workflow files, from real directories."""

import os
from pathlib import Path

import pytest

from pytest_lok.core.workflow.model import Origin
from pytest_lok.core.workflow.reading.source import SourceText
from pytest_lok.discovery import WorkflowPaths, find_root, unknown_workflow
from pytest_lok.errors import UsageError, WorkflowError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project/.lok/workflows").mkdir(parents=True)
    (tmp_path / "user/workflows").mkdir(parents=True)
    return tmp_path / "project"


@pytest.fixture
def shelves(root: Path) -> WorkflowPaths:
    return WorkflowPaths(root, root.parent / "user")


def put(folder: Path, name: str, text: str = "# here") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def project(root: Path, name: str, text: str = "# project") -> Path:
    return put(root / ".lok/workflows", f"{name}.toml", text)


def user(root: Path, name: str, text: str = "# user") -> Path:
    return put(root.parent / "user/workflows", f"{name}.toml", text)


def found(source: SourceText | None) -> SourceText:
    assert source is not None
    return source


class TestRoot:
    @pytest.mark.parametrize("mark", [".lok", "lok.toml", "pyproject.toml", ".git"])
    def test_is_the_nearest_parent_with_a_mark(self, tmp_path: Path, mark: str) -> None:
        (tmp_path / ".git").mkdir()
        inner = tmp_path / "packages/one"
        (inner / "src/deep").mkdir(parents=True)
        assert find_root(inner / "src/deep") == tmp_path
        if mark != ".git":
            (inner / mark).write_text("")
        else:
            (inner / mark).write_text("gitdir: elsewhere")  # as in a worktree
        assert find_root(inner / "src/deep") == inner
        assert find_root(inner) == inner

    def test_is_the_start_where_nothing_is_marked(self, tmp_path: Path) -> None:
        assert find_root(tmp_path) == tmp_path

    def test_starts_at_a_files_directory(self, tmp_path: Path) -> None:
        file = put(tmp_path / "sub", "lok.toml")
        assert find_root(file) == tmp_path / "sub"

    def test_follows_a_link_to_where_the_project_is(self, tmp_path: Path) -> None:
        put(tmp_path / "real", "lok.toml")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        assert find_root(tmp_path / "link") == tmp_path / "real"


class TestNames:
    def test_first_match_wins(self, root: Path, shelves: WorkflowPaths) -> None:
        user(root, "audit")
        source = found(shelves.named("audit"))
        assert (source.text, source.origin) == ("# user", Origin.USER)
        assert source.path == str(root.parent / "user/workflows/audit.toml")
        project(root, "audit")
        assert found(shelves.named("audit")) == SourceText(
            text="# project", path=".lok/workflows/audit.toml", stem="audit", origin=Origin.PROJECT
        )

    def test_of_some_shelves_only(self, root: Path, shelves: WorkflowPaths) -> None:
        project(root, "audit")
        user(root, "audit")
        assert found(shelves.named("audit", among=[Origin.USER])).text == "# user"
        assert shelves.named("audit", among=[Origin.BUILTIN, Origin.PATH]) != shelves.named("audit")

    @pytest.mark.parametrize("name", ["nothing", "", "/etc/hosts", "../workflows/audit", "sub/audit"])
    def test_of_nothing(self, root: Path, shelves: WorkflowPaths, name: str) -> None:
        project(root, "audit")
        put(root / ".lok/workflows/sub", "audit.toml")
        assert shelves.named(name) is None

    def test_are_never_files_of_the_current_directory(
        self, root: Path, shelves: WorkflowPaths, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(root)
        put(root, "hunt2.toml")
        (root / "hunt2").mkdir()
        assert shelves.named("hunt2") is None

    def test_are_listed_in_order_with_the_shadowed_ones(self, root: Path, shelves: WorkflowPaths) -> None:
        project(root, "b")
        project(root, "a")
        user(root, "a")
        put(root / ".lok/workflows", ".a.toml.swp")
        put(root / ".lok/workflows", ".hidden.toml")
        put(root / ".lok/workflows", "notes.md")
        (root / ".lok/workflows/folder.toml").mkdir()
        names = [(name, origin) for name, origin in shelves.names() if origin is not Origin.BUILTIN]
        assert names == [("a", Origin.PROJECT), ("b", Origin.PROJECT), ("a", Origin.USER)]

    def test_without_any_directory(self, tmp_path: Path) -> None:
        own = [name for name, origin in WorkflowPaths(tmp_path, None).names() if origin is not Origin.BUILTIN]
        assert own == []

    def test_in_something_that_is_no_directory(self, tmp_path: Path) -> None:
        put(tmp_path / ".lok", "workflows", "a file")
        with pytest.raises(UsageError, match=r"cannot be looked for in .*workflows: Not a directory"):
            list(WorkflowPaths(tmp_path, None).names())

    def test_built_in_ones_are_those_of_the_package(self, tmp_path: Path) -> None:
        shelves = WorkflowPaths(tmp_path, None)
        shipped = Path(__file__).parents[1] / "pytest_lok/workflows"
        assert [name for name, _ in shelves.names()] == sorted(file.stem for file in shipped.glob("*.toml"))
        for name, _ in shelves.names():
            source = found(shelves.named(name))
            assert source.origin is Origin.BUILTIN
            assert Path(source.path) == shipped / f"{name}.toml"


class TestUnreadable:
    def test_a_link_to_nowhere_is_not_passed_over(self, root: Path, shelves: WorkflowPaths) -> None:
        user(root, "audit")
        (root / ".lok/workflows/audit.toml").symlink_to("gone.toml")
        with pytest.raises(WorkflowError) as caught:
            shelves.named("audit")
        assert str(caught.value) == (
            ".lok/workflows/audit.toml: the file cannot be read: No such file or directory"
        )

    def test_a_link_to_itself(self, root: Path, shelves: WorkflowPaths) -> None:
        (root / ".lok/workflows/audit.toml").symlink_to("audit.toml")
        with pytest.raises(WorkflowError, match="Too many levels of symbolic links"):
            shelves.named("audit")

    def test_a_directory(self, root: Path, shelves: WorkflowPaths) -> None:
        (root / ".lok/workflows/audit.toml").mkdir()
        with pytest.raises(WorkflowError, match="Is a directory"):
            shelves.named("audit")

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
    def test_a_forbidden_file(self, root: Path, shelves: WorkflowPaths) -> None:
        project(root, "audit").chmod(0)
        with pytest.raises(WorkflowError, match="Permission denied"):
            shelves.named("audit")

    def test_bytes_that_are_not_text(self, root: Path, shelves: WorkflowPaths) -> None:
        project(root, "audit").write_bytes(b"a = 1\nb = '\xff'\n")
        with pytest.raises(WorkflowError, match=r"audit\.toml:2:6: the file is not UTF-8"):
            shelves.named("audit")


class TestPaths:
    def test_a_path_wins_and_says_so(self, root: Path, shelves: WorkflowPaths) -> None:
        source = shelves.at(put(root / "ci", "review.toml"))
        assert source == SourceText(text="# here", path="ci/review.toml", stem="review", origin=Origin.PATH)

    def test_a_path_outside_stays_whole(self, root: Path, shelves: WorkflowPaths) -> None:
        path = put(root.parent / "elsewhere", "review.toml")
        assert shelves.at(path).path == str(path)

    def test_relative_to_the_current_directory(
        self, root: Path, shelves: WorkflowPaths, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(root / "ci", "review.toml")
        monkeypatch.chdir(root / "ci")
        assert shelves.at(Path("review.toml")).path == "ci/review.toml"

    def test_the_path_of_a_shelf_is_of_that_shelf(self, root: Path, shelves: WorkflowPaths) -> None:
        path = project(root, "audit")
        assert shelves.at(path) == shelves.named("audit")
        assert shelves.at(user(root, "mine")).origin is Origin.USER

    def test_through_a_link_to_the_project(self, root: Path, shelves: WorkflowPaths) -> None:
        project(root, "audit")
        (root.parent / "link").symlink_to(root)
        source = shelves.at(root.parent / "link/.lok/workflows/audit.toml")
        assert source == shelves.named("audit")

    def test_of_nothing(self, shelves: WorkflowPaths) -> None:
        with pytest.raises(UsageError, match=r"there is no file gone/x\.toml"):
            shelves.at(Path("gone/x.toml"))

    @pytest.mark.parametrize("name", ["gone/x.yaml", "a/b", "/etc/hosts"])
    def test_of_something_else(self, shelves: WorkflowPaths, name: str) -> None:
        with pytest.raises(UsageError, match="is not a workflow") as caught:
            shelves.at(Path(name))
        assert "lok workflow list" in caught.value.hint

    def test_of_a_directory(self, root: Path, shelves: WorkflowPaths) -> None:
        (root / "x.toml").mkdir()
        with pytest.raises(WorkflowError, match="Is a directory"):
            shelves.at(root / "x.toml")


class TestParents:
    def test_a_name_is_looked_for_everywhere(self, root: Path, shelves: WorkflowPaths) -> None:
        project(root, "child")
        user(root, "parent")
        source = found(shelves.parent("parent", found(shelves.named("child"))))
        assert source.origin is Origin.USER

    def test_the_own_name_means_the_shadowed_one(self, root: Path, shelves: WorkflowPaths) -> None:
        project(root, "mine")
        user(root, "mine")
        above = found(shelves.parent("mine", found(shelves.named("mine"))))
        assert above.origin is Origin.USER
        assert shelves.parent("mine", above) is None

    def test_a_file_elsewhere_of_that_name(self, root: Path, shelves: WorkflowPaths) -> None:
        project(root, "mine")
        child = shelves.at(put(root / "ci", "mine.toml"))
        assert found(shelves.parent("mine", child)).origin is Origin.PROJECT

    def test_a_path_is_beside_the_child(self, root: Path, shelves: WorkflowPaths) -> None:
        child = shelves.at(put(root / "ci", "child.toml"))
        assert shelves.parent("parent.toml", child) is None
        put(root / "ci", "parent.toml", "# beside")
        assert found(shelves.parent("parent.toml", child)).text == "# beside"
        put(root, "above.toml", "# above")
        assert found(shelves.parent("../above.toml", child)).path == "above.toml"

    def test_nobody(self, root: Path, shelves: WorkflowPaths) -> None:
        project(root, "child")
        assert shelves.parent("nobody", found(shelves.named("child"))) is None


def test_files_named_in_a_workflow_are_beside_it(root: Path, shelves: WorkflowPaths) -> None:
    child = shelves.at(put(root / "ci", "child.toml"))
    put(root / "ci", "answer.json", "{}")
    assert shelves.beside("answer.json", child) == "{}"
    with pytest.raises(FileNotFoundError):
        shelves.beside("gone.json", child)
    (root / "ci/bytes.json").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="utf-8"):
        shelves.beside("bytes.json", child)


class TestUnknown:
    def test_says_what_was_meant_and_what_there_is(self, tmp_path: Path) -> None:
        error = unknown_workflow("adit", ["hunt", "audit", "hunt"], tmp_path)
        assert str(error) == (
            "there is no workflow 'adit'\n  hint: did you mean 'audit'? There are: audit, hunt"
        )

    def test_says_where_to_put_the_first_one(self, tmp_path: Path) -> None:
        assert ".lok/workflows/" in unknown_workflow("audit", [], tmp_path).hint

    def test_says_what_writes_one_and_takes_the_first_for_no_verb(self, tmp_path: Path) -> None:
        new = unknown_workflow("adit", ["audit"], tmp_path, is_new=True).hint
        assert new == "did you mean 'audit'? `lok init` writes a first workflow. There are: audit"
        assert (
            unknown_workflow("first", ["thirst"], tmp_path).hint == "`lok init` writes it. There are: thirst"
        )

    def test_tells_a_file_from_a_name(self, tmp_path: Path) -> None:
        put(tmp_path, "review.toml")
        assert "./review.toml" in unknown_workflow("review", ["audit"], tmp_path).hint


class TestFilesOfCases:
    @pytest.fixture
    def child(self, root: Path, shelves: WorkflowPaths) -> SourceText:
        return shelves.at(project(root, "w"))

    def test_a_pattern_names_files_beside_the_workflow(
        self, root: Path, shelves: WorkflowPaths, child: SourceText
    ) -> None:
        shelf = root / ".lok/workflows/cases"
        for name in ("b.toml", "a.toml", ".hidden.toml", "c.csv"):
            put(shelf, name)
        put(root / "data", "d.csv")
        assert shelves.files_beside("cases/*.toml", child) == ["cases/a.toml", "cases/b.toml"]
        assert shelves.files_beside("cases/c.csv", child) == ["cases/c.csv"]
        assert shelves.files_beside("../../data/?.csv", child) == ["../../data/d.csv"]
        assert shelves.beside("../../data/d.csv", child) == "# here"
        assert shelves.files_beside("none/*.csv", child) == shelves.files_beside("e.csv", child) == []

    @pytest.mark.parametrize(
        ("pattern", "why"),
        [
            ("../../../out.csv", "outside"),
            ("/etc/out.csv", "outside"),
            ("link.csv", "a link"),
            ("linked/*.csv", "a link leads there"),
            ("inside/*.csv", "a link leads there"),
            ("*/a.csv", "only the last part"),
            ("folder.csv", "no file"),
            ("huge.csv", "more than"),
        ],
    )
    def test_nothing_leads_out(
        self, root: Path, shelves: WorkflowPaths, child: SourceText, pattern: str, why: str
    ) -> None:
        put(root.parent, "out.csv")
        shelf = root / ".lok/workflows"
        (shelf / "link.csv").symlink_to(root.parent / "out.csv")
        (shelf / "linked").symlink_to(root.parent)
        put(root / "data", "d.csv")
        (shelf / "inside").symlink_to(root / "data")
        (shelf / "folder.csv").mkdir()
        with (shelf / "huge.csv").open("wb") as file:
            file.truncate(100_000_000)
        with pytest.raises(ValueError, match=why):
            shelves.files_beside(pattern, child)

    def test_a_workflow_that_is_in_no_project_has_its_directory(
        self, root: Path, shelves: WorkflowPaths
    ) -> None:
        child = shelves.at(user(root, "w"))
        put(root.parent / "user/workflows", "a.csv")
        put(root.parent / "user", "b.csv")
        assert shelves.files_beside("*.csv", child) == ["a.csv"]
        with pytest.raises(ValueError, match="outside"):
            shelves.files_beside("../b.csv", child)
