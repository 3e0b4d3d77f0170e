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

# writes schemas/song.schema.json anew
schema:
    python -m riffcomposer.song.schema

# writes the golden digests anew; raise the version in riffcomposer/versions.py first
golden:
    python tests/golden.py

# makes the tested versions anew
lock:
    python scripts/constraints.py

# packages, imports and cycles in figures, floor by floor; just imports --dot | dot -Tsvg > imports.svg
imports *arguments:
    @python scripts/imports.py {{arguments}}
