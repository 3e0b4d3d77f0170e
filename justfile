# The usual commands of a contributor; `just` lists them. Needs the `dev` extra in the active environment.

default:
    @just --list

# ruff, mypy, import-linter, and whether the schema is up to date
check:
    ruff check .
    ruff format --check .
    mypy
    lint-imports
    python -m riffcomposer.song.schema --check

# the tests; arguments go to pytest: just test -n 2
test *arguments:
    python -m pytest -q {{arguments}}

# the documentation site; a warning is an error
docs:
    python -m sphinx -W --keep-going -q docs docs/_build/html

# writes schemas/song.schema.json and the README's table of keys anew
schema:
    python -m riffcomposer.song.schema
    python -m riffcomposer.song.key_table

# adds new cases to the golden digests; writes changed ones anew if their version was raised
golden:
    python tests/golden.py
    python tests/golden_notes.py

# makes the tested versions anew
lock:
    python scripts/constraints.py

# packages, imports and cycles in figures, floor by floor; just imports --dot | dot -Tsvg > imports.svg
imports *arguments:
    @python scripts/imports.py {{arguments}}
