"""Workers on the nodes of a Ray cluster: one actor for each GPU, or for each share of cores.

Nodes may join and leave. The driver looks at the cluster twice a second, because Ray's own health check
takes a quarter of a minute to notice that a machine is gone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riffcomposer.device import BACKENDS
from riffcomposer.errors import StoreError, UsageError
from riffcomposer.render.engines.fleet import Gone
from riffcomposer.render.engines.in_process import InProcessEngine
from riffcomposer.render.engines.interface import Done, SoundBlock
from riffcomposer.render.engines.levels import LevelReader, vanished
from riffcomposer.render.engines.node_files import job_paths, model_files
from riffcomposer.render.engines.pool import PoolEngine
from riffcomposer.render.engines.processes import STARTS, SeatEngine
from riffcomposer.render.engines.ray_connection import ClusterChoice, cluster_backend, connect, first_line
from riffcomposer.render.engines.ray_worker import WANT, LoadFiles, ObjectLevels, Parts, Place, RayWorker
from riffcomposer.render.engines.wire import Message, WireError, decode
from riffcomposer.render.engines.worker_requests import Load, Render, Request
from riffcomposer.store.store import Store

if TYPE_CHECKING:
    import ray

LOOK_S = 0.5
"""How often the driver looks which nodes there are."""

JOIN_S = 60.0
"""How long a cluster without a usable node is waited for."""

PART_BYTES = 64 << 20
"""Size of the parts in which a file goes through the object store."""


@dataclass
class _Actor:
    handle: Any
    stream: Any
    item: Any
    node: str
    slot: tuple[str, int]


class RayFleet:
    """Actors of a cluster that this process is connected to.

    Args:
        choice: How nodes are shared.
        backend: Class of device of every worker.
        maker: Makes the engine of a worker with a device; importable on every node.
    """

    def __init__(self, choice: ClusterChoice, backend: str, maker: SeatEngine = InProcessEngine) -> None:
        self._choice, self._backend, self._maker = choice, backend, maker
        self._actors: dict[str, _Actor] = {}
        self._started = 0
        self._vain: dict[tuple[str, int], int] = {}
        self._paths: dict[str, Path] = {}
        self._parts: dict[str, list[Any]] = {}
        self._looked_at = 0.0
        self._alive_at = time.monotonic()
        self._closed = False

    def begin(self) -> None:
        self._look()

    @property
    def workers(self) -> Collection[str]:
        return self._actors.keys()

    @property
    def hopeful(self) -> bool:
        if self._actors:
            self._alive_at = time.monotonic()
        return bool(self._actors) or time.monotonic() - self._alive_at < JOIN_S

    @property
    def nodes(self) -> dict[str, str]:
        """The node of each worker, by name."""
        return {name: actor.node for name, actor in self._actors.items()}

    def send(self, worker: str, request: Request) -> None:
        actor = self._actors.get(worker)
        if actor is None:
            return
        parcel: Request | LoadFiles = request
        if isinstance(request, Load):
            files, paths = model_files(request.model)
            self._paths |= paths
            parcel = LoadFiles(files)
        elif isinstance(request, Render):
            self._paths |= job_paths(request.jobs.values())
        actor.handle.put.options(concurrency_group="requests").remote(parcel)

    def receive(self, timeout_s: float) -> list[tuple[str, Message | Gone]]:
        import ray

        found: list[tuple[str, Message | Gone]] = []
        if time.monotonic() - self._looked_at >= LOOK_S:
            found += self._look()
        if found:
            return found
        heads = {actor.item or actor.stream: name for name, actor in self._actors.items()}
        if not heads:
            time.sleep(timeout_s)
            return []
        ready, _ = ray.wait(list(heads), num_returns=1, timeout=timeout_s, fetch_local=True)
        if ready:
            ready, _ = ray.wait(list(heads), num_returns=len(heads), timeout=0, fetch_local=True)
        for head in ready:
            name = heads[head]
            found += [(name, message) for message in self._received(name)]
        return found

    def dismiss(self, worker: str) -> None:
        actor = self._actors.pop(worker, None)
        if actor is not None:
            self._vain[actor.slot] = STARTS
            self._kill(actor)
            if not self._actors:
                # Nodes that are set up wrong are no reason to wait for others.
                self._alive_at = -math.inf

    def levels(self, store: Store, keys: Collection[str]) -> LevelReader:
        import ray

        refs: dict[str, list[ray.ObjectRef[bytes]]] = {}
        for key in keys:
            payload = store.get("clip", key)
            if payload is None:
                raise vanished(store, key)
            refs[key] = [ray.put(payload)]
        return ObjectLevels(refs)

    def now(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        actors, self._actors, self._closed = list(self._actors.values()), {}, True
        for actor in actors:
            self._kill(actor)
        self._parts.clear()

    # Inside -------------------------------------------------------------------------------

    def _received(self, name: str) -> Iterator[Message | Gone]:
        """Takes what has come from one worker."""
        import ray

        actor = self._actors[name]
        try:
            if actor.item is None:
                actor.item = next(actor.stream)  # the reference only: its content may still be on its way
                return
            content = ray.get(actor.item, timeout=30)
            actor.item = None
            if not isinstance(content, bytes):
                raise WireError("something that is no message")
            if content.startswith(WANT):
                self._ship(actor, content.removeprefix(WANT).decode("ascii", "replace"))
                return
            message = decode(content)
            if isinstance(message, Done | SoundBlock):
                self._vain[actor.slot] = 0
            yield message
        except StopIteration:
            yield self._lose(name, "it ended")
        except WireError as error:
            yield self._lose(name, f"it sent {error}")
        except ray.exceptions.RayError as error:
            yield self._lose(name, first_line(error))

    def _ship(self, actor: _Actor, sha256: str) -> None:
        """Puts a file that a node lacks into the object store, once, and tells the node where it is."""
        import ray

        path = self._paths.get(sha256)
        if path is None:
            raise WireError("the digest of a file that nobody needs")
        if sha256 not in self._parts:
            parts: list[Any] = []
            try:
                with path.open("rb") as file:
                    while part := file.read(PART_BYTES):
                        parts.append(ray.put(part))
            except OSError as error:
                raise StoreError(f"{path}: cannot be read ({error.strerror or error})") from error
            self._parts[sha256] = parts
        actor.handle.put.options(concurrency_group="requests").remote(Parts(sha256, self._parts[sha256]))

    def _look(self) -> list[tuple[str, Message | Gone]]:
        """Notices nodes that have gone, and starts workers on those that have come."""
        import ray

        self._looked_at = time.monotonic()
        nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        lost = [name for name, actor in self._actors.items() if actor.node not in nodes]
        found: list[tuple[str, Message | Gone]] = []
        for name in lost:
            self._vain[self._actors[name].slot] = STARTS
            found.append((name, self._lose(name, "its node is gone")))
        taken = {actor.slot for actor in self._actors.values()}
        for node_id, node in nodes.items():
            for number in range(self._room(node["Resources"])):
                slot = (node_id, number)
                if slot not in taken and self._vain.get(slot, 0) < STARTS and not self._closed:
                    self._start(slot, node["NodeManagerAddress"])
        return found

    def _room(self, resources: dict[str, float]) -> int:
        """Returns how many workers a node has room for."""
        if self._backend.startswith("cuda"):
            return int(resources.get("GPU", 0))
        return int(resources.get("CPU", 0)) // self._choice.cpus_per_worker

    def _start(self, slot: tuple[str, int], address: str) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._started += 1
        node_id, number = slot
        on_gpu = self._backend.startswith("cuda")
        cores = self._choice.cpus_per_worker
        place = Place("cuda" if on_gpu else "cpu", f"({address}, worker {number + 1})", cores)
        actor_class = ray.remote(
            num_cpus=0 if on_gpu else cores,
            num_gpus=1 if on_gpu else 0,
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={"stream": 1, "requests": 1},
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
        )(RayWorker)
        handle = actor_class.remote(self._maker, place)
        stream = handle.stream.options(
            concurrency_group="stream", num_returns="streaming", _generator_backpressure_num_objects=16
        ).remote()
        name = f"worker {self._started}"
        self._actors[name] = _Actor(handle, stream, None, node_id, slot)

    def _lose(self, name: str, reason: str) -> Gone:
        actor = self._actors.pop(name)
        self._vain[actor.slot] = self._vain.get(actor.slot, 0) + 1
        self._alive_at = time.monotonic()
        self._kill(actor)
        return Gone(reason, self._vain[actor.slot] < STARTS)

    @staticmethod
    def _kill(actor: _Actor) -> None:
        import ray

        try:
            ray.kill(actor.handle, no_restart=True)
        except Exception:  # noqa: BLE001 - it is dead already, or the cluster is
            return


class RayEngines:
    """Opens engines of actors on a Ray cluster; the connection is kept for the life of the process.

    Args:
        choice: Which cluster, and how it is shared.
        maker: Makes the engine of a worker.
    """

    has_workers = True

    def __init__(self, choice: ClusterChoice | None = None, maker: SeatEngine = InProcessEngine) -> None:
        self._choice, self._maker = choice or ClusterChoice(), maker
        if self._choice.backend and self._choice.backend not in BACKENDS.values():
            raise UsageError(f"--backend {self._choice.backend}: give one of {', '.join(BACKENDS.values())}")
        if self._choice.cpus_per_worker < 1:
            raise UsageError("--cpus-per-worker: give 1 or more")

    def backend(self, device: str) -> str:
        connect(self._choice)
        return cluster_backend(self._choice, device)

    def open(self, device: str) -> PoolEngine:
        backend = self.backend(device)
        return PoolEngine(RayFleet(self._choice, backend, self._maker), backend)
