"""Imports diffusers and transformers without the parts of them that a checkpoint does not use.

The module of one network asks for a module in `diffusers.models.transformers`, whose `__init__` imports
every transformer that diffusers has; some schedulers import all of `scipy.stats` for one function. Here the
`__init__` of such a package runs when something is asked of the package itself, which for most
checkpoints is never. Its modules can be imported as ever.

`importlib.util.LazyLoader` does the same for plain modules. In a package it runs the `__init__` already when
one of the package's modules is imported, which is what is to be avoided here.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

DEFERRED = frozenset({"diffusers.models.transformers", "scipy.stats"})

_RUNNING = threading.RLock()
"""Held while an `__init__` runs: other threads wait for the finished package."""


@contextmanager
def light_imports(deferred: frozenset[str] = DEFERRED) -> Iterator[None]:
    """Inside, packages named in `deferred` that are not imported yet are imported without their `__init__`.

    Garbage collection pauses: modules are made of objects that stay, and looking through all of them again
    and again takes a good part of the time of an import.
    """
    finder = _Finder(deferred)
    collecting = gc.isenabled()
    gc.disable()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if collecting:
            gc.enable()


class _Finder(MetaPathFinder):
    """Finds the deferred packages where the other finders find them."""

    def __init__(self, deferred: frozenset[str]) -> None:
        self._deferred = deferred

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._deferred:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path, target)) is not None:
                if spec.loader is not None and spec.submodule_search_locations is not None:
                    spec.loader = _Deferring(spec.loader)
                return spec
        return None


class _Deferring(Loader):
    """Leaves a package empty until it is asked; what the import system sets is enough to find its modules."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.begun = False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _DeferredPackage


class _DeferredPackage(ModuleType):
    """A package that runs its `__init__` as soon as it is asked for something that it does not have."""

    def __getattr__(self, name: str) -> Any:
        _run(self)
        if isinstance(self, _DeferredPackage):  # asked by its own __init__, which has not come that far
            raise AttributeError(f"partially initialized module {self.__name__!r} has no attribute {name!r}")
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        _run(self)
        return list(ModuleType.__dir__(self))


def _run(package: ModuleType) -> None:
    """Runs the `__init__` of a package once; from then on it is a module like any other.

    Raises:
        Exception: What the `__init__` raises. It is run again when the package is next asked for something.
    """
    with _RUNNING:
        deferring = package.__spec__.loader if package.__spec__ else None
        if not isinstance(deferring, _Deferring) or deferring.begun:
            return
        deferring.begun = True
        try:
            deferring.loader.exec_module(package)
        except BaseException:
            deferring.begun = False
            raise
        if package.__spec__ is not None:
            package.__spec__.loader = package.__loader__ = deferring.loader
        package.__class__ = ModuleType
