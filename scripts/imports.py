"""Draws the packages of riffcomposer and their imports, and counts modules, edges and cycles.

    python scripts/imports.py                  the figures, and the packages floor by floor
    python scripts/imports.py --dot            the picture, for Graphviz
    python scripts/imports.py --mermaid        the picture, for a page that draws Mermaid
    python scripts/imports.py --root FOLDER    the same of another checkout

A node is a package or a module directly in `riffcomposer`; an edge says that one imports the other, in
any of its modules. A node's floor is one above the highest node that it imports. The cycles are the
strongly connected components of more than one node. The public face (`riffcomposer` itself) names what
others may use, so it is left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

import grimp

ROOT = "riffcomposer"
Edges = dict[str, set[str]]


def read(folder: Path) -> Edges:
    """Returns the modules of the checkout in `folder`, each with those that it imports."""
    sys.path.insert(0, str(folder))
    graph = grimp.build_graph(ROOT, cache_dir=None)
    modules = graph.modules - {ROOT}
    return {module: graph.find_modules_directly_imported_by(module) - {ROOT} for module in sorted(modules)}


def between_nodes(imports: Edges) -> Edges:
    """Returns the nodes, each with those that any of its modules imports."""
    edges: Edges = {node(module): set() for module in imports}
    for module, others in imports.items():
        edges[node(module)] |= {node(other) for other in others} - {node(module)}
    return edges


def node(module: str) -> str:
    """Returns the node that a module belongs to: `plan` for `riffcomposer.plan.grid`."""
    return module.split(".")[1]


def cycles(edges: Edges) -> list[list[str]]:
    """Returns the groups of nodes that reach one another (Kosaraju's algorithm)."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str, along: Edges, found: list[str]) -> None:
        seen.add(name)
        for other in sorted(along[name]):
            if other not in seen:
                visit(other, along, found)
        found.append(name)

    for name in sorted(edges):
        if name not in seen:
            visit(name, edges, order)
    back: Edges = {name: set() for name in edges}
    for name, others in edges.items():
        for other in others:
            back[other].add(name)
    seen.clear()
    groups: list[list[str]] = []
    for name in reversed(order):
        if name not in seen:
            groups.append([])
            visit(name, back, groups[-1])
    return sorted(sorted(group) for group in groups if len(group) > 1)


def without_shortcuts(edges: Edges) -> Edges:
    """Returns the edges without those that a longer way implies, so that the picture can be read."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = list(edges[start])
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += edges[name]
        return found

    far = {name: reached(name) for name in edges}
    return {
        name: {other for other in others if not any(other in far[via] for via in others - {other})}
        for name, others in edges.items()
    }


def floors(edges: Edges) -> list[list[str]]:
    """Returns the nodes of each floor, the lowest first; nodes on a cycle and above it are left out."""
    found: list[list[str]] = []
    below: set[str] = set()
    while here := sorted(name for name in edges if name not in below and edges[name] <= below):
        found.append(here)
        below.update(here)
    return found


def figures(folder: Path, imports: Edges, edges: Edges) -> str:
    """Returns the counts, a line each."""
    lengths = [
        len(path.read_text(encoding="utf-8").splitlines())
        for path in (folder / ROOT).rglob("*.py")
        if path.name != "__init__.py"
    ]
    return "\n".join(
        [
            f"modules: {len(imports)}, of {median(lengths):.0f} lines in the median, {max(lengths)} at most",
            f"packages, and modules beside them: {len(edges)}",
            f"imports between modules: {sum(map(len, imports.values()))}, {_cycles(imports)}",
            f"edges between packages: {sum(map(len, edges.values()))}, {_cycles(edges)}",
        ]
    )


def _cycles(edges: Edges) -> str:
    found = cycles(edges)
    return f"cycles: {len(found)}" + "".join(f" ({', '.join(group)})" for group in found)


def main() -> None:
    """Prints what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--dot", action="store_true", help="print the picture for Graphviz")
    form.add_argument("--mermaid", action="store_true", help="print the picture for a page")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1], metavar="FOLDER")
    chosen = parser.parse_args()
    imports = read(chosen.root)
    edges = between_nodes(imports)
    drawn = [(name, other) for name, others in without_shortcuts(edges).items() for other in sorted(others)]
    if chosen.dot:
        lines = ["digraph riffcomposer {", *(f'  "{a}" -> "{b}"' for a, b in drawn), "}"]
    elif chosen.mermaid:
        lines = ["flowchart TD", *(f"  {a} --> {b}" for a, b in drawn)]
    else:
        stack = list(enumerate(floors(edges)))
        lines = [figures(chosen.root, imports, edges), ""]
        lines += [f"floor {number:2}  {'  '.join(names)}" for number, names in reversed(stack)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
