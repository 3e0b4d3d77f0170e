"""Workers on a Ray cluster of several nodes here: equal clips, lost and late nodes, refused workers."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import worker_engines
from killed_driver import killed_in_mid_render
from small_song import Studio, fake_level, make_studio

from riffcomposer.api import plan_song, render_song
from riffcomposer.errors import RenderError, UsageError
from riffcomposer.plan.types import ClipJob
from riffcomposer.render.engines import ray_connection
from riffcomposer.render.engines.interface import Done, Failed, Notice, Step
from riffcomposer.render.engines.pool import PoolEngine
from riffcomposer.render.engines.ray_cluster import RayEngines, RayFleet
from riffcomposer.render.engines.ray_connection import ClusterChoice, connect

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'riffcomposer[ray]'"
)

TESTS = Path(__file__).parent.parent.parent
STORE_BYTES = 80_000_000
CHOICE = ClusterChoice(cpus_per_worker=1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head without room for workers and two nodes with room for one each."""
    patch = pytest.MonkeyPatch()
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    patch.setenv("PYTHONPATH", path)
    patch.setenv("RIFFCOMPOSER_NODE_CACHE", str(tmp_path_factory.mktemp("node-cache")))
    patch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    patch.setenv(worker_engines.LOG, str(tmp_path_factory.mktemp("log") / "clips"))
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    made = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()
    patch.undo()


@pytest.fixture
def jobs(tmp_path: Path) -> dict[str, ClipJob]:
    studio = make_studio(tmp_path / "song")
    return dict(plan_song(studio.song, store=studio.store).plan.jobs)


@pytest.fixture
def engines(cluster: Any, tmp_path: Path) -> Iterator[Any]:
    """Makes started engines with the small song's checkpoint, and closes them."""
    made: list[PoolEngine] = []
    studio = make_studio(tmp_path / "model-of")
    model = plan_song(studio.song, store=studio.store).model

    def make(maker: Any) -> tuple[PoolEngine, RayFleet]:
        fleet = RayFleet(CHOICE, "cpu-float32", maker)
        made.append(PoolEngine(fleet, "cpu-float32"))
        made[-1].start()
        made[-1].load(model)
        return made[-1], fleet

    yield make
    for engine in made:
        engine.close()


def right(results: dict[str, Done | Failed], jobs: dict[str, ClipJob]) -> bool:
    return results.keys() == jobs.keys() and all(
        isinstance(result, Done)
        and (result.level == fake_level(key, jobs[key].width_frames).astype("f2")).all()
        for key, result in results.items()
    )


def test_a_song_is_the_same_on_a_cluster(cluster: Any, studio: Studio, tmp_path: Path) -> None:
    studio.render()
    expected = studio.outputs()
    other = make_studio(tmp_path / "other")
    engines = RayEngines(CHOICE, worker_engines.quick)
    render_song(other.song, store=other.store, out=other.folder / "out", device="cpu", engines=engines)
    assert other.outputs() == expected


def test_a_node_that_dies_costs_only_its_running_clips(
    cluster: Any, engines: Any, jobs: dict[str, ClipJob]
) -> None:
    doomed = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    cluster.wait_for_nodes()
    engine, fleet = engines(worker_engines.slow)
    assert len(fleet.nodes) == 3
    said: list[str] = []
    results: dict[str, Done | Failed] = {}
    killed = False

    def on_event(event: Step | Notice) -> None:
        nonlocal killed
        if isinstance(event, Notice):
            said.append(event.message)
        elif not killed and event.step > 3:
            killed = True
            cluster.remove_node(doomed, allow_graceful=False)

    for result in engine.render(jobs, on_event):
        assert result.key not in results
        results[result.key] = result
    assert right(results, jobs)
    assert any("is lost" in line for line in said)


def test_a_driver_that_is_killed_and_run_again_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    studio = make_studio(tmp_path)
    kept, in_flight = killed_in_mid_render(studio, cluster.address)
    ends = worker_engines.noted("end")
    assert len(ends) == 8
    assert all(ends[key] == 1 for key in kept), "a clip that was stored is not rendered again"
    assert {key for key, times in ends.items() if times > 1} <= set(in_flight)
    assert len(in_flight) <= 4, "two workers have at most two clips each"
    expected = make_studio(tmp_path / "expected")
    expected.render()
    assert studio.outputs() == expected.outputs()
    assert not list((studio.folder / "store").rglob(".tmp-*"))


def test_a_node_that_joins_late_gets_work(cluster: Any, engines: Any, jobs: dict[str, ClipJob]) -> None:
    engine, fleet = engines(worker_engines.slow)
    late: list[Any] = []

    def on_event(event: Step | Notice) -> None:
        if not late:
            late.append(cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES))

    results = {result.key: result for result in engine.render(jobs, on_event)}
    assert right(results, jobs)
    assert len(set(fleet.nodes.values())) == 3
    cluster.remove_node(late[0], allow_graceful=True)


def test_a_clip_that_kills_its_worker_is_given_up(
    cluster: Any, engines: Any, jobs: dict[str, ClipJob]
) -> None:
    poison = worker_engines.POISONED
    key = list(jobs)[1]
    jobs[poison] = jobs.pop(key)
    engine, _ = engines(worker_engines.deadly)
    results = {result.key: result for result in engine.render(jobs)}
    failure = results.pop(poison)
    assert isinstance(failure, Failed)
    assert failure.final
    del jobs[poison]
    assert right(results, jobs)


def test_workers_of_another_version_are_refused_by_name(cluster: Any) -> None:
    engine = PoolEngine(RayFleet(CHOICE, "cpu-float32", worker_engines.outdated), "cpu-float32")
    with pytest.raises(RenderError, match=r"worker 1.*sampler 2 instead of 1"):
        engine.start()


def test_files_reach_a_node_once(cluster: Any, engines: Any) -> None:
    folder = Path(os.environ["RIFFCOMPOSER_NODE_CACHE"])
    engine, _ = engines(worker_engines.quick)
    engine.close()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    assert before
    engines(worker_engines.quick)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")} == before


@pytest.mark.parametrize("address", ["nowhere.invalid:6379", "127.0.0.1:9"])
def test_an_address_where_nothing_answers_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **options: pytest.fail("Ray would try for minutes"))
    with pytest.raises(UsageError, match=rf"--address {address}: nothing answers at {address}"):
        connect(ClusterChoice(address))
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UsageError, match=rf"--address auto: nothing answers at {address}"):
        connect(ClusterChoice())


def test_a_driver_on_a_machine_that_is_no_node_is_refused(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **options: pytest.fail("Ray would end the process"))
    monkeypatch.setattr(ray_connection, "PROCESSES", tmp_path)
    monkeypatch.setattr(ray_connection, "TEMPORARY", tmp_path)
    with pytest.raises(UsageError, match=rf"no node of that cluster.*ray start --address={cluster.address}"):
        connect(ClusterChoice(cluster.address))
    monkeypatch.setattr(ray, "init", lambda **options: None)
    monkeypatch.setattr(ray_connection, "PROCESSES", Path("/proc"))
    assert connect(ClusterChoice(cluster.address)), "the nodes of the test's cluster are found"


def test_a_refused_token_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def refuse(**options: Any) -> None:
        try:
            raise RuntimeError("RPC error: InvalidAuthToken: Authentication token is missing or incorrect.")
        except RuntimeError:
            raise ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379") from None

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UsageError, match=r"refuses this machine's token; set RAY_AUTH_MODE=token"):
        connect(ClusterChoice("auto"))
