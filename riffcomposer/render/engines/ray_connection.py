"""The connection of a driver to a Ray cluster, and what is wrong if there is none."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from riffcomposer.device import BACKENDS, named_device
from riffcomposer.errors import UsageError

PROCESSES = Path("/proc")
TEMPORARY = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir()))
"""Where Ray has its sockets, in `ray/session_latest`."""

REACH_S = 5.0
"""How long a cluster's head may take to answer; Ray itself tries for more than three minutes."""


@dataclass(frozen=True)
class ClusterChoice:
    """Which cluster, and how its nodes are shared.

    Attributes:
        address: `auto` (the cluster that this machine belongs to, or RAY_ADDRESS), `HOST:PORT`, or `local`
            (a cluster of this machine alone, for as long as the render takes).
        backend: Class of device of every worker; empty for GPUs if any node has one, else processors.
        cpus_per_worker: Cores of a worker.
    """

    address: str = "auto"
    backend: str = ""
    cpus_per_worker: int = 2


def connect(choice: ClusterChoice) -> bool:
    """Connects this process to a cluster. Returns whether it did, and not somebody before.

    A cluster that is started here demands a token, unless `RAY_AUTH_MODE` says otherwise.

    Raises:
        UsageError: Ray is not installed, or the cluster is not there or refuses.
    """
    if choice.address == "local":
        # Ray reads them when it is imported.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        if os.environ["RAY_AUTH_MODE"] == "token":
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--engine ray needs Ray: pip install 'riffcomposer[ray]', on this machine and on every node"
        ) from error
    if ray.is_initialized():
        return False
    _check_reachable(choice.address)
    options = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
    try:
        if choice.address == "local":
            ray.init(address="local", include_dashboard=False, **options)
        else:
            ray.init(address=choice.address, **options)
    except Exception as error:  # what Ray raises for a refused token differs by where it is noticed
        if _is_refusal(error):
            raise UsageError(
                f"--address {choice.address}: the cluster refuses this machine's token; set "
                "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN as they are on its head"
            ) from error
        raise UsageError(
            f"--address {choice.address}: no cluster can be used there ({first_line(error)}); start one by "
            "`ray start --head` with the same RAY_AUTH_TOKEN, or give --address local"
        ) from error
    return True


def _check_reachable(address: str) -> None:
    """Checks what Ray itself notices after minutes, or by a crash of this process.

    Raises:
        UsageError: Nobody listens at `HOST:PORT`, or this machine is no node of a cluster.
    """
    named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    host, _, port = named.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return  # it names no port: `local`, `auto` on a node of a cluster, a URL
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"--address {address}: nothing answers at {named} ({error}); start a cluster there by "
            "`ray start --head`, or give --address local"
        ) from error
    if not _is_node():
        raise UsageError(
            f"--address {address}: this machine is no node of that cluster, as a driver must be; "
            f"`ray start --address={named} --num-cpus=0` makes it one that renders nothing"
        )


def _is_node() -> bool:
    """Whether a node of a Ray cluster runs on this machine; true where that cannot be told."""
    if not PROCESSES.is_dir() or (TEMPORARY / "ray" / "session_latest" / "sockets" / "raylet").exists():
        return True
    for command in PROCESSES.glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if command.read_bytes().partition(b"\0")[0].endswith(b"/raylet"):
                return True
    return False


def _is_refusal(error: BaseException | None) -> bool:
    """Whether an error, or one behind it, says that a token is missing or wrong."""
    while error is not None:
        if "InvalidAuthToken" in str(error) or type(error).__name__ == "AuthenticationError":
            return True
        error = error.__cause__ or error.__context__
    return False


def cluster_backend(choice: ClusterChoice, device: str) -> str:
    """Returns the class of device that workers of a cluster have; the process is connected to it."""
    import ray

    if choice.backend:
        return choice.backend
    named = named_device(device)
    if named != "auto":
        return BACKENDS[named.partition(":")[0]]
    has_gpu = any(node["Alive"] and node["Resources"].get("GPU", 0) >= 1 for node in ray.nodes())
    return BACKENDS["cuda" if has_gpu else "cpu"]


def first_line(error: BaseException) -> str:
    """Returns the first line of what an error says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
