"""``lok workflow install|update|remove``, over HTTP on loopback and from files."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tomli_w

from pytest_lok.store.installed import digest_of
from tests.cli.projects import Project

FLOW = """description = "Look at Rails code"
[[steps]]
name = "look"
argv = ["echo", "looked"]
"""


class Site:
    """A server on loopback; ``pages`` maps a path to its text, or to the URL it redirects to."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.pages: dict[str, str] = {}
        self.server = server
        self.url = f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = served.pages.get(self.path)
            if page is None:
                self.send_error(404)
            elif page.startswith("-> "):
                self.send_response(302)
                self.send_header("Location", page.removeprefix("-> "))
                self.end_headers()
            else:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Site(server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_shown_written_pinned_and_runs(project: Project, site: Site) -> None:
    site.pages = {"/rails-audit.toml": "-> /v2/rails-audit.toml", "/v2/rails-audit.toml": FLOW}
    done = project.lok("workflow", "install", f"{site.url}/rails-audit.toml", "--yes")
    assert done.code == 0, done.err
    assert f"1 step: 1 command\n\n{FLOW}" in done.err, "the whole file"
    assert "replaces" not in done.err
    assert (project.root / ".lok/workflows/rails-audit.toml").read_text() == FLOW
    assert f'source = "{site.url}/rails-audit.toml"' in (project.root / "lok.lock").read_text()
    assert project.lok("run", "rails-audit").out == "looked\n"


def test_it_comes_over_https_and_runs(
    project: Project, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("openssl makes no certificate here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    site.pages = {"/rails-audit.toml": FLOW}
    url = f"https://localhost:{site.server.server_port}/rails-audit.toml"
    stranger = project.lok("workflow", "install", url, "--yes")
    assert (stranger.code, "cannot be fetched" in stranger.err) == (3, True), "nobody vouches for it"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    done = project.lok("workflow", "install", url, "--yes")
    assert done.code == 0, done.err
    assert f'source = "{url}"' in (project.root / "lok.lock").read_text()
    assert project.lok("run", "rails-audit").out == "looked\n"


def test_nothing_is_written_where_nobody_confirms(project: Project, site: Site) -> None:
    site.pages = {"/a.toml": FLOW}
    done = project.lok("workflow", "install", f"{site.url}/a.toml")
    assert (done.code, "nobody is here to confirm it" in done.err) == (2, True)
    assert not (project.root / ".lok").exists()
    assert not (project.root / "lok.lock").exists()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("http://example.com/a.toml", "plain http may be changed on its way"),
        ("file:///etc/passwd", "is not fetched"),
        ("ftp://example.com/a.toml", "is not fetched"),
        ("missing.toml", "cannot be read"),
        ("{site}/none.toml", "answers 404"),
        ("{site}/away.toml", "plain http may be changed on its way"),
        ("{site}/round.toml", "redirects more than"),
        ("{site}/huge.toml", "which no workflow has"),
        ("{site}/broken.toml", "unknown key"),
        ("{site}/", "is no name for a workflow"),
    ],
)
def test_what_cannot_be_trusted_or_used_is_refused(
    project: Project, site: Site, source: str, said: str
) -> None:
    site.pages = {
        "/away.toml": "-> http://example.com/a.toml",
        "/round.toml": "-> /round.toml",
        "/huge.toml": "#" * (1 << 20) + FLOW,
        "/broken.toml": FLOW.replace("argv", "arv"),
    }
    done = project.lok("workflow", "install", source.format(site=site.url), "-y")
    assert done.code in (2, 3)
    assert said in done.err
    assert not (project.root / ".lok").exists()


def test_a_file_of_one_s_own_is_not_replaced(project: Project, site: Site) -> None:
    site.pages = {"/a.toml": FLOW}
    project.workflow("a", FLOW.replace("looked", "mine"))
    done = project.lok("workflow", "install", f"{site.url}/a.toml", "-y")
    assert (done.code, "was not installed" in done.err) == (2, True)
    assert project.lok("workflow", "install", f"{site.url}/a.toml", "-y", "--name", "b").code == 0
    project.workflow("b", FLOW.replace("looked", "changed"))
    for words in (("install", f"{site.url}/a.toml", "--name", "b"), ("update", "b"), ("remove", "b")):
        done = project.lok("workflow", *words)
        assert (done.code, "was changed since" in done.err) == (2, True), words
    assert "changed" in (project.root / ".lok/workflows/b.toml").read_text()


def test_frozen_takes_what_is_pinned_and_nothing_else(project: Project, site: Site) -> None:
    site.pages = {"/a.toml": FLOW}
    assert project.lok("workflow", "install", "--frozen").code == 2
    refused = project.lok("workflow", "install", f"{site.url}/a.toml", "--frozen", "-y")
    assert (refused.code, "does not pin a" in refused.err) == (2, True)
    project.lok("workflow", "install", f"{site.url}/a.toml", "-y")
    file = project.root / ".lok/workflows/a.toml"
    file.unlink()
    assert project.lok("workflow", "install", "--frozen").code == 0
    assert file.read_text() == FLOW
    site.pages["/a.toml"] = FLOW.replace("looked", "stolen")
    assert project.lok("workflow", "install", "--frozen").code == 0, "what is there is what is pinned"
    file.unlink()
    stolen = project.lok("workflow", "install", "--frozen")
    assert (stolen.code, "is not what lok.lock pins" in stolen.err) == (3, True)
    assert not file.exists()
    file.write_text(FLOW.replace("looked", "mine"))
    assert project.lok("workflow", "install", "--frozen").code == 2


def test_an_update_shows_what_has_changed(project: Project, site: Site) -> None:
    site.pages = {"/a.toml": FLOW}
    project.lok("workflow", "install", f"{site.url}/a.toml", "-y")
    assert "a is up to date" in project.lok("workflow", "update").err
    site.pages["/a.toml"] = FLOW.replace("looked", "better")
    shown = project.lok("workflow", "update")
    assert shown.code == 2, "nobody confirmed it"
    assert '-argv = ["echo", "looked"]\n+argv = ["echo", "better"]' in shown.err
    assert project.lok("workflow", "update", "a", "--yes").code == 0
    assert project.lok("run", "a").out == "better\n"
    assert project.lok("workflow", "install", "--frozen").code == 0, "and is pinned anew"


def test_a_removed_one_is_gone_with_its_pin(project: Project, site: Site) -> None:
    site.pages = {"/a.toml": FLOW}
    project.lok("workflow", "install", f"{site.url}/a.toml", "-y")
    assert project.lok("workflow", "remove", "b").code == 2
    assert project.lok("workflow", "remove", "a").code == 0
    assert not (project.root / ".lok/workflows/a.toml").exists()
    assert "a.toml" not in (project.root / "lok.lock").read_text()


def test_one_for_every_project_from_a_file(project: Project) -> None:
    (project.root / "elsewhere.toml").write_text(FLOW)
    assert project.lok("workflow", "install", "elsewhere.toml", "--user", "-y").code == 0
    assert "elsewhere" in project.lok("workflow", "list").out
    assert not (project.root / "lok.lock").exists()
    assert project.lok("elsewhere").out == "looked\n"


@pytest.mark.parametrize(
    "text", ["workflows = 3", "[workflows]\na = 1", "[workflows.a]\nsource = 1", "x = ["]
)
def test_a_broken_lock_file_is_said(project: Project, text: str) -> None:
    project.write("lok.lock", text)
    done = project.lok("workflow", "install", "--frozen")
    assert (done.code, "lok.lock" in done.err) == (2, True)


@pytest.mark.parametrize("name", ["../../evil", "/abs/evil", "..", ".hidden", "a/b", "", "a\nb"])
@pytest.mark.parametrize(
    "words", [("install", "--frozen"), ("install", "x.toml", "-y"), ("update", "-y"), ("remove", "{name}")]
)
def test_a_name_of_the_lock_file_leads_nowhere_else(
    project: Project, name: str, words: tuple[str, ...]
) -> None:
    source = project.write("x.toml", FLOW)
    outside = project.write("evil.toml", FLOW)
    project.write(
        "lok.lock",
        tomli_w.dumps({"workflows": {name: {"source": str(source), "sha256": digest_of(FLOW.encode())}}}),
    )
    done = project.lok("workflow", *(word.format(name=name) for word in words))
    assert (done.code, "is no name for a workflow" in done.err) == (2, True)
    assert outside.exists()
    assert not (project.root / ".lok/workflows").exists()


@pytest.mark.parametrize("link", [".lok", ".lok/workflows"])
def test_nothing_is_written_or_removed_through_a_link(project: Project, tmp_path: Path, link: str) -> None:
    project.write("x.toml", FLOW)
    away = tmp_path / "away"
    (away / "workflows").mkdir(parents=True)
    place = project.root / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(away if link == ".lok" else away / "workflows")
    pinned = {"x": {"source": "x.toml", "sha256": digest_of(FLOW.encode())}}
    for words in (("install", "x.toml", "-y"), ("install", "--frozen"), ("remove", "x")):
        done = project.lok("workflow", *words)
        assert (done.code, f"{link} is a symbolic link" in done.err) == (2, True), words
        assert not list((away / "workflows").iterdir())
        project.write("lok.lock", tomli_w.dumps({"workflows": pinned}))


def test_a_new_workflow_says_what_it_replaces(project: Project) -> None:
    project.write("x.toml", FLOW)
    for name, replaced in (("audit", "the built-in workflow audit"), ("debate", "the verb `lok debate`")):
        done = project.lok("workflow", "install", "x.toml", "--name", name)
        assert (done.code, f"It replaces {replaced}." in done.err) == (2, True), done.err
    for verb in ("run", "doctor", "workflow"):
        done = project.lok("workflow", "install", "x.toml", "-y", "--name", verb)
        assert (done.code, f"`lok {verb}` is a verb" in done.err) == (2, True)


def test_the_shown_file_obeys_nobody(project: Project) -> None:
    project.write("x.toml", FLOW.replace("Look", "\\u001b[2J").replace("[[", "# \x7f\u202e hidden\n[["))
    done = project.lok("workflow", "install", "x.toml")
    assert not {"\x1b", "\x7f", "\u202e"} & set(done.err)
