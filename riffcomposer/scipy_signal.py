"""`scipy.signal` without `scipy.stats`, which it imports for one function that is not used here."""

from __future__ import annotations

from riffcomposer.light_imports import light_imports

with light_imports():
    from scipy import signal

__all__ = ["signal"]
