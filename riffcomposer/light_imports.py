"""Imports torch, diffusers, transformers and scipy without the parts of them that a render does not use.

The module of one network is in a package whose `__init__` imports every network of its kind that diffusers
has, and asks for a module in another such package; `scipy.signal` imports all of `scipy.stats` for one
function that it rarely calls; losses and schedulers that no render uses import `scipy.optimize` and
`scipy.integrate`. Here such a module runs when something is asked of it that `DEFERRED` does not name, which
for most checkpoints is never. Its modules, if it is a package, can be imported as ever.

`importlib.util.LazyLoader` runs a module as soon as any name of it is asked for, which `from MODULE import
NAME` does at once, and a package as soon as one of its modules is imported.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

DEFERRED: Mapping[str, frozenset[str]] = {
    "diffusers.models.autoencoders": frozenset(),
    "diffusers.models.transformers": frozenset(),
    "diffusers.models.unets": frozenset(),
    "scipy.integrate": frozenset(),
    "scipy.optimize": frozenset({"linear_sum_assignment"}),
    "scipy.stats": frozenset({"scoreatpercentile"}),
}
"""Packages that wait, each with the functions that may be imported from it before its `__init__` runs: it
runs when one of them is called."""

_RUNNING = threading.RLock()
"""Held while a deferred module runs: other threads wait until it is finished."""


@contextmanager
def light_imports(deferred: Mapping[str, frozenset[str]] = DEFERRED) -> Iterator[None]:
    """Inside, modules named in `deferred` that are not imported yet are imported without running them.

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
    """Finds the deferred modules where the other finders find them."""

    def __init__(self, deferred: Mapping[str, frozenset[str]]) -> None:
        self._deferred = deferred

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        functions = self._deferred.get(fullname)
        if functions is None:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _Deferring(spec.loader, functions)
                return spec
        return None


class _Deferring(Loader):
    """Leaves a package empty until it is asked; what the import system sets is enough to find its modules."""

    def __init__(self, loader: Loader, functions: frozenset[str]) -> None:
        self.loader = loader
        self.functions = functions
        self.begun = False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _DeferredModule


class _DeferredModule(ModuleType):
    """A module that runs as soon as it is asked for something that it does not have."""

    def __getattr__(self, name: str) -> Any:
        deferring = _deferring(self)
        if deferring is not None and name in deferring.functions:
            return _function(self, name)
        _run(self)
        if isinstance(self, _DeferredModule):  # asked while it runs, and it has not come that far
            raise AttributeError(f"partially initialized module {self.__name__!r} has no attribute {name!r}")
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        _run(self)
        return list(ModuleType.__dir__(self))


def _deferring(module: ModuleType) -> _Deferring | None:
    """The loader of a module that does not run yet."""
    loader = module.__spec__.loader if module.__spec__ else None
    return loader if isinstance(loader, _Deferring) and not loader.begun else None


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    """A function that calls the module's function of that name, and runs the module before."""

    def call(*arguments: Any, **named: Any) -> Any:
        _run(module)
        return module.__dict__[name](*arguments, **named)

    return call


def _run(module: ModuleType) -> None:
    """Runs a deferred module once; from then on it is a module like any other.

    Raises:
        Exception: What the module raises. It is run again when it is next asked for something.
    """
    with _RUNNING:
        deferring = _deferring(module)
        if deferring is None:
            return
        deferring.begun = True
        try:
            deferring.loader.exec_module(module)
        except BaseException:
            deferring.begun = False
            raise
        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = deferring.loader
        module.__class__ = ModuleType
