"""torch, imported while garbage collection pauses: a tenth of the time of its import.

Only the first import of torch in a process takes time, so only the modules that a render imports first take
torch from here. The import has to precede theirs that take torch itself: this module's name sorts it first.
"""

from __future__ import annotations

from riffcomposer.light_imports import light_imports

with light_imports():
    import torch

__all__ = ["torch"]
