"""The Dask cluster that the tests of a session share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.clusters import PLACES, DaskProcesses


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    pytest.importorskip("distributed", reason="the extra `fleet` is not installed")
    processes = DaskProcesses(PLACES, tmp_path_factory.mktemp("cluster"))
    yield processes
    processes.close()
