"""Engines render clip jobs; an engine source makes engines.

The diffusion engine is `riffcomposer.diffusion.engine.Engine`. Any class with these methods can replace it: a
stand-in in tests, or an engine that renders on other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from riffcomposer.checkpoints.profile import LocatedModel
from riffcomposer.device import BACKENDS
from riffcomposer.plan.types import ClipJob


class ClipEngine(Protocol):
    """Renders clips: `riffcomposer.diffusion.engine.Engine`, or a stand-in in tests."""

    @property
    def backend(self) -> str:
        """Class of device and number format, as it is in a clip's key."""
        ...

    def render(
        self,
        jobs: Mapping[str, ClipJob],
        *,
        on_event: Callable[[Any], None] | None = None,
        cancelled: Callable[[], bool] = ...,
    ) -> Iterator[tuple[str, Any]]:
        """Renders the jobs in any order, each result as soon as it is there.

        Yields a key with its level, float32 `[channels, n_mels, width]`, or with something that has
        a `message` if the clip failed. Raises `Cancelled` between steps once `cancelled()`.
        """
        ...

    def close(self) -> None:
        """Frees the model's memory; the engine renders nothing after that."""
        ...


class EngineSource(Protocol):
    """Makes engines: diffusion engines, or stand-ins in tests."""

    def backend(self, device: str) -> str:
        """Returns the class of device and number format of an engine on `device`; loads no model.

        Raises:
            UsageError: The device is not there.
        """
        ...

    def load(self, model: LocatedModel, device: str) -> ClipEngine:
        """Makes an engine of a checkpoint.

        Raises:
            ModelError: The checkpoint is missing or damaged.
            UsageError: The device is not there.
        """
        ...


class DiffusionEngines:
    """Makes diffusion engines in this process."""

    def backend(self, device: str) -> str:
        from riffcomposer.diffusion.loading import choose_device

        return BACKENDS[choose_device(device).type]

    def load(self, model: LocatedModel, device: str) -> ClipEngine:
        from riffcomposer.diffusion.engine import Engine

        return Engine(model, device=device)
