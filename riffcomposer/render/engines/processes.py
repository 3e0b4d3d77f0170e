"""Workers that are processes of this machine, one for each GPU or share of cores.

The standard library's `multiprocessing` starts them (spawn: a forked process could not use CUDA) and carries
messages through pipes. Its pools, and those of `concurrent.futures` and loky, are not used: they give up, or
start anew, as soon as one of their processes dies, and here only that one's clips may be lost.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue

from riffcomposer.device import named_device
from riffcomposer.errors import UsageError
from riffcomposer.render.engines.fleet import Gone
from riffcomposer.render.engines.in_process import InProcessEngine, device_backend
from riffcomposer.render.engines.interface import Done, SoundBlock, WorkerEngine
from riffcomposer.render.engines.levels import FileLevels, LevelReader, level_path
from riffcomposer.render.engines.pool import PoolEngine
from riffcomposer.render.engines.wire import Dying, Message, WireError, decode, encode
from riffcomposer.render.engines.worker import EngineMaker, Worker
from riffcomposer.render.engines.worker_requests import Drop, Request
from riffcomposer.store.store import Store

STARTS = 5
"""Processes that a place may lose one after the other, without a clip between, before it stays empty; more
than one clip may cost."""

CORES_PER_WORKER = 2
"""Cores of a worker without a GPU; more of them speed up one small model less than another worker does."""

MOST_WORKERS = 256

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that limit the threads of torch and numpy."""


SeatEngine = Callable[[str], WorkerEngine]
"""Makes an engine for a device; importable by its name."""


@dataclass(frozen=True)
class Seat:
    """A place for one worker.

    Attributes:
        device: Its device, as its engine is told.
        label: Its device, in words.
        threads: CPU threads that it may use.
        environment: Variables that its process has besides the driver's.
    """

    device: str
    label: str
    threads: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)


def seats(workers: int | None, device: str) -> tuple[Seat, ...]:
    """Returns places for workers: one for each GPU, else one for each share of cores.

    Args:
        workers: How many; None for as many as suit the machine. More than there are GPUs share them.
        device: `auto`, `cpu`, `cuda` or `mps`; `cuda:1` means that GPU alone.

    Raises:
        UsageError: The device is not there.
    """
    from riffcomposer.spectrogram.threads import available_cores

    kind = device_backend(device).partition("-")[0]
    cores = available_cores()
    if kind == "cuda":
        gpus = _gpus(named_device(device))
        count = workers or len(gpus)
        threads = max(1, cores // count)
        return tuple(
            Seat(
                "cuda",
                f"GPU {gpus[number % len(gpus)]}",
                threads,
                {variable: gpus[number % len(gpus)] for variable in _gpu_variables()},
            )
            for number in range(count)
        )
    count = workers or (1 if kind == "mps" else max(1, cores // CORES_PER_WORKER))
    threads = max(1, cores // count)
    # What the user has set is kept, since it decides how results are rounded; torch prefers MKL's variable.
    free = not any(os.environ.get(name) for name in THREAD_VARIABLES)
    limits = dict.fromkeys(THREAD_VARIABLES, str(threads)) if free else {}
    return tuple(Seat(kind, f"{kind} {number + 1}", threads, limits) for number in range(count))


def _gpu_variables() -> tuple[str, ...]:
    import torch

    return ("HIP_VISIBLE_DEVICES",) if torch.version.hip else ("CUDA_VISIBLE_DEVICES",)


def _gpus(device: str) -> list[str]:
    """Returns the GPUs to use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    chosen = [name.strip() for name in os.environ.get(_gpu_variables()[0], "").split(",") if name.strip()]
    names = chosen or [str(number) for number in range(torch.cuda.device_count())]
    _, _, number = device.partition(":")
    return [names[int(number)]] if number else names


@dataclass
class _Process:
    process: BaseProcess
    pipe: Connection
    seat: int


class ProcessFleet:
    """Processes of this machine.

    Args:
        places: A place for each worker.
        maker: Makes the engine of a worker with a device; it must be importable by its name.
    """

    def __init__(self, places: Sequence[Seat], maker: SeatEngine = InProcessEngine) -> None:
        self._seats, self._maker = tuple(places), maker
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[str, _Process] = {}
        self._started = 0
        self._vain = [0] * len(self._seats)
        self._closed = False

    def begin(self) -> None:
        for seat in range(len(self._seats)):
            self._start(seat)

    @property
    def workers(self) -> Collection[str]:
        return self._running.keys()

    @property
    def hopeful(self) -> bool:
        return bool(self._running)

    @property
    def processes(self) -> dict[str, int]:
        """The process id of each running worker, by name."""
        return {name: entry.process.pid or 0 for name, entry in self._running.items()}

    def send(self, worker: str, request: Request) -> None:
        entry = self._running.get(worker)
        if entry is not None:
            try:
                entry.pipe.send(request)
            except OSError:
                return  # it is dead; `receive` finds the end of its pipe

    def receive(self, timeout_s: float) -> list[tuple[str, Message | Gone]]:
        pipes = {entry.pipe: name for name, entry in self._running.items()}
        if not pipes:
            return []
        found: list[tuple[str, Message | Gone]] = []
        for ready in wait(list(pipes), timeout_s):
            assert isinstance(ready, Connection)
            name = pipes[ready]
            try:
                message = decode(ready.recv_bytes())
            except (EOFError, OSError):
                found.append((name, self._lose(name, "")))
            except WireError as error:
                found.append((name, self._lose(name, f"it sent {error}")))
            else:
                if isinstance(message, Done | SoundBlock):
                    self._vain[self._running[name].seat] = 0
                found.append((name, message))
        return found

    def dismiss(self, worker: str) -> None:
        entry = self._running.pop(worker, None)
        if entry is not None:
            _end([entry])

    def levels(self, store: Store, keys: Collection[str]) -> LevelReader:
        return FileLevels({key: level_path(store, key) for key in keys})

    def now(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        running, self._running, self._closed = list(self._running.values()), {}, True
        _end(running)

    def _start(self, seat: int) -> None:
        self._started += 1
        name = f"worker {self._started}"
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve_pipe, args=(theirs, self._seats[seat], self._maker), name=name, daemon=True
        )
        process.start()
        theirs.close()  # else the end of a dead worker's pipe would never be seen
        self._running[name] = _Process(process, ours, seat)

    def _lose(self, name: str, reason: str) -> Gone:
        entry = self._running.pop(name)
        if reason:
            entry.process.kill()
        entry.process.join(5)
        entry.pipe.close()
        self._vain[entry.seat] += 1
        replaced = self._vain[entry.seat] < STARTS and not self._closed
        if replaced:
            self._start(entry.seat)
        return Gone(reason or _ending(entry.process.exitcode), replaced)


def _ending(code: int | None) -> str:
    """Returns how a process ended, in words."""
    if code is not None and code < 0:
        try:
            return f"ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"ended by signal {-code}"
    return f"ended with exit code {code}"


def _end(entries: Sequence[_Process]) -> None:
    """Ends processes at once: a worker has nothing that is worth keeping."""
    for entry in entries:
        entry.process.terminate()
    until = time.monotonic() + 2
    for entry in entries:
        entry.process.join(max(0.0, until - time.monotonic()))
        if entry.process.is_alive():
            entry.process.kill()
            entry.process.join(2)
        entry.pipe.close()


def serve_pipe(pipe: Connection, seat: Seat, maker: SeatEngine) -> None:
    """Serves one driver until its end of the pipe is closed: the whole life of a worker's process."""
    # Ctrl-C reaches every process of a terminal; what it means is the driver's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(seat.environment)  # before torch is imported
    requests: SimpleQueue[Request] = SimpleQueue()
    dropped: set[int] = set()

    def listen() -> None:
        """Takes every request at once, so that the driver never waits for a busy worker."""
        while True:
            try:
                request = pipe.recv()
            except (EOFError, OSError):
                os._exit(0)  # the driver is gone, and with it whoever wants results
            if isinstance(request, Drop):
                dropped.add(request.number)
            else:
                requests.put(request)

    def send(message: Message) -> None:
        pipe.send_bytes(encode(message))

    threading.Thread(target=listen, name="requests", daemon=True).start()
    make: EngineMaker = partial(maker, seat.device)
    try:
        worker = Worker(make(), send, dropped.__contains__, seat.threads, seat.label)
        worker.begin()
        while True:
            worker.serve(requests.get())
    except (BrokenPipeError, ConnectionResetError):
        return  # the driver is gone
    except Exception as error:  # noqa: BLE001 - the driver says it, and starts another worker
        send(Dying(f"{type(error).__name__}: {error}"))
        raise SystemExit(1) from None


class ProcessEngines:
    """Opens engines of processes on this machine.

    Args:
        workers: How many; None for one for each GPU, else one for each share of cores.
        maker: Makes the engine of a worker.
    """

    has_workers = True

    def __init__(self, workers: int | None = None, maker: SeatEngine = InProcessEngine) -> None:
        if workers is not None and not 1 <= workers <= MOST_WORKERS:
            raise UsageError(f"{workers} workers: give 1 to {MOST_WORKERS}, or auto")
        self._workers, self._maker = workers, maker

    def backend(self, device: str) -> str:
        return device_backend(device)

    def open(self, device: str) -> PoolEngine:
        return PoolEngine(ProcessFleet(seats(self._workers, device), self._maker))
