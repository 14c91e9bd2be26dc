"""``lok fleet up|status``: a real cluster of this machine, from its start to its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.projects import Project
from tests.fleet.clusters import PLACES, DaskProcesses
from tests.fleet.stories import alive
from tests.workspace.test_git_state import git

STEP = """
[[steps]]
name = "far"
needs = { cores = 1 }
shell = "echo x > $SEEN; while test -e $SEEN; do sleep 0.1; done; echo far away"
env = { SEEN = "{{ env.SEEN }}" }
"""


@pytest.fixture
def repo(project: Project) -> Project:
    project.workflow("work", STEP)
    git(project.root, "init", "-q")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "x")
    return project


@pytest.mark.parametrize("end", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_cluster_is_up_until_it_is_ended(repo: Project, tmp_path: Path, end: signal.Signals) -> None:
    pytest.importorskip("distributed", reason="the extra `fleet` is not installed")
    seen = tmp_path / "seen"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    repo.environ |= {"SEEN": str(seen), "TMPDIR": str(temporary)}
    words = ("fleet", "up", "--workers", "2", "--cores", "1", "--port", "0")
    as_json = end == signal.SIGKILL
    with repo.started(*words, *(["--json"] if as_json else []), start_new_session=True) as up:
        assert up.stdout is not None
        if as_json:
            said = json.loads("".join(iter(up.stdout.readline, "}\n")) + "}")
            assert [place["name"] for place in said["places"]] == ["w1", "w2"]
            repo.write("lok.toml", f'[fleet]\nscheduler = "{said["scheduler"]}"\n')
        else:
            repo.write("lok.toml", up.stdout.readline() + up.stdout.readline())
        idle = repo.lok("fleet", "status").out.splitlines()
        assert [line.split()[:2] for line in idle] == [["PLACE", "CORES"], ["w1", "1"], ["w2", "1"]]
        with repo.started("run", "work") as run:
            _until(seen.exists)
            status = repo.lok("fleet", "status", "--json").document
            assert f'"{status["scheduler"]}"' in (repo.root / "lok.toml").read_text()
            assert sorted(place["running"] for place in status["places"]) == [[], ["far"]]
            seen.unlink()
            assert run.communicate()[0] == "far away\n"
        # a Ctrl-C reaches everything in the foreground
        os.killpg(up.pid, end)
        assert up.wait() == (130 if end == signal.SIGINT else -end)
        _until(lambda: not alive(str(temporary)))
        if end == signal.SIGINT:
            assert up.stderr is not None
            assert "Traceback" not in up.stderr.read()
            assert list(temporary.glob("lok-fleet-*")) == []
    nobody = repo.lok("fleet", "status")
    assert nobody.code == 3
    assert "no scheduler answers at tcp://127.0.0.1:" in nobody.err


def test_what_cannot_be_started_or_shown_is_said(project: Project) -> None:
    done = project.lok("fleet", "status")
    assert (done.code, done.out) == (2, "")
    assert "no fleet is set" in done.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = project.lok("fleet", "up", "--port", port)
    assert done.code == 2
    assert f"port {port} of this machine is not free" in done.err
    project.write("lok.toml", '[fleet]\nscheduler = "local"\nworkers = 3\n')
    done = project.lok("fleet", "status")
    assert [line.split()[0] for line in done.out.splitlines()] == ["PLACE", "local-1", "local-2", "local-3"]


def test_a_scheduler_at_tls_is_reached_by_who_has_a_certificate(project: Project, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra `fleet` is not installed")
    ours, others = _certificates(tmp_path / "ours"), _certificates(tmp_path / "others")
    files = {"tls_ca_file": ours["ca"], **{
        f"tls_{who}_{what}": ours[what]
        for who in ("client", "worker", "scheduler")
        for what in ("cert", "key")
    }}  # fmt: skip
    cluster = DaskProcesses(PLACES[:1], tmp_path, files)
    try:
        cluster.ensure()
        for paths, code in ((ours, 0), ({**ours, "ca": others["ca"]}, 3), ({**others, "ca": ours["ca"]}, 3)):
            lines = "".join(
                f'{key} = "{os.path.relpath(path, project.root)}"\n' for key, path in paths.items()
            )
            project.write("lok.toml", f'[fleet]\nscheduler = "{cluster.address}"\n{lines}')
            done = project.lok("fleet", "status")
            assert done.code == code, done.err
            assert ("big" in done.out) == (code == 0)
    finally:
        cluster.close()


def _certificates(folder: Path) -> dict[str, str]:
    """A CA, and a certificate of it, as PEM files: what [fleet] names."""
    folder.mkdir()
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for words in (
        ("req", "-x509", *key, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca"),
        ("req", *key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=node"),
        (
            *("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-out", "cert.pem"),
        ),
    ):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    return {name: str(folder / f"{name}.pem") for name in ("ca", "cert", "key")}


def _until(holds: object) -> None:
    assert callable(holds)
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
