"""The lock file: round trips, wrong entries, damage, and merges by git."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_songs import planned, section, song

from riffcomposer.errors import StoreError
from riffcomposer.lock.lock_file import changes, digests_in, lock_path, lock_text, read_lock, write_lock
from riffcomposer.plan.statuses import job_states, positions
from riffcomposer.plan.types import Plan


def three(**overrides: dict[str, Any]) -> Plan:
    return planned(song(*(section(name, clips=3, **overrides.get(name, {})) for name in "abc")))


def test_where_it_is() -> None:
    assert lock_path(Path("songs/night-bus.yaml")) == Path("songs/night-bus.lock")


def test_a_lock_says_what_the_plan_says(tmp_path: Path) -> None:
    plan, path = three(b={"strength": 1, "mask": "beats-80"}), tmp_path / "x.lock"
    assert write_lock(path, plan, ["e" * 64] * 3)
    assert not write_lock(path, plan, ["e" * 64] * 3)
    lock = read_lock(path)
    assert lock.exists
    assert not lock.damage
    assert {position: entry.key for position, entry in lock.clips.items()} == {
        position: clip.key for position, clip in positions(plan)
    }
    assert changes(lock, plan) == []
    assert digests_in(path) >= {*plan.jobs, "e" * 64}
    assert lock.names["a" * 64] == "lofi-keys"


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_any_name_and_prompt_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    plan = three(b={"prompt": f"x{text}"})
    path = tmp_path_factory.mktemp("lock") / "x.lock"
    write_lock(path, plan)
    assert read_lock(path).damage == ""
    assert changes(read_lock(path), plan) == []


def test_no_lock_is_an_empty_one(tmp_path: Path) -> None:
    lock = read_lock(tmp_path / "x.lock")
    assert (lock.exists, dict(lock.clips), lock.damage) == (False, {}, "")
    assert len(changes(lock, three())) == 9


def test_what_would_change_is_told_clip_by_clip(tmp_path: Path) -> None:
    write_lock(tmp_path / "x.lock", three())
    lock = read_lock(tmp_path / "x.lock")
    assert changes(lock, three(b={"seed": 5})) == [
        f"section b, clip {number}: another clip than in the lock" for number in (1, 2, 3)
    ]
    shorter = planned(song(section("a", clips=2), section("b", clips=3), section("d", clips=3)))
    assert changes(lock, shorter)[:3] == [
        f"section d, clip {number}: not in the lock" for number in (1, 2, 3)
    ]
    assert "section a, clip 3: in the lock only" in changes(lock, shorter)


def test_a_lock_that_lies_is_not_believed(tmp_path: Path) -> None:
    path, plan = tmp_path / "x.lock", three()
    write_lock(path, plan)
    before, after = next(iter(plan.jobs)), "f" * 64
    path.write_text(path.read_text().replace(before, after).replace('"seed_b":1', '"seed_b":2'))
    lock = read_lock(path)
    assert "do not match their own keys" in lock.damage
    states = job_states(plan, lambda _: False, lock.clips)
    assert states[before].status == "new"
    assert changes(lock, plan)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"\xff\xfe",
        b"# riffcompose lock 2\n",
        b"# riffcompose lock 1\n<<<<<<< HEAD\n",
        b"# riffcompose lock 1\nsection 5\n",
        b'# riffcompose lock 1\nsection "a"\nwith x {\n',
        b'# riffcompose lock 1\nsection "a"\nbody 0 ' + b"a" * 64 + b" []\n",
        b"# riffcompose lock 1\nbody 0 " + b"a" * 64 + b" {}\n",
        b'# riffcompose lock 1\nsection "a"\nwith x ' + b"[" * 100_000 + b"\n",
    ],
)
def test_a_damaged_lock_is_ignored_and_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.lock"
    path.write_bytes(content)
    lock = read_lock(path)
    assert lock.damage
    assert not lock.clips


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_mutated_lock_raises_nothing(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(lock_text(three()).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("lock") / "x.lock"
    path.write_bytes(content)
    read_lock(path)
    digests_in(path)


def test_a_lock_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "x.lock").mkdir()
    with pytest.raises(StoreError):
        write_lock(tmp_path / "x.lock", three())


def merge(tmp_path: Path, base: str, ours: str, theirs: str) -> tuple[int, str]:
    paths = [tmp_path / name for name in ("ours", "base", "theirs")]
    for path, text in zip(paths, (ours, base, theirs), strict=True):
        path.write_text(text)
    command = ["git", "merge-file", "-p", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"a": {"strength": 0.6}}, {"b": {"prompt": "other"}}),
        ({"a": {"seed": 9}}, {"c": {"guidance_scale": 3}}),
        ({"b": {"init": "bells"}}, {"c": {"num_inference_steps": 9}}),
    ],
)
def test_git_merges_edits_of_different_sections(
    tmp_path: Path, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    conflicts, text = merge(
        tmp_path, lock_text(three()), lock_text(three(**ours)), lock_text(three(**theirs))
    )
    assert conflicts == 0
    assert text == lock_text(three(**ours, **theirs))


def test_git_merges_an_edit_and_a_new_section(tmp_path: Path) -> None:
    def plan(*names: str, **overrides: dict[str, Any]) -> str:
        return lock_text(
            planned(song(*(section(name, clips=2, **overrides.get(name, {})) for name in names)))
        )

    conflicts, text = merge(tmp_path, plan(*"abc"), plan(*"abxc"), plan(*"abc", a={"seed": 3}))
    assert conflicts == 0
    assert text == plan(*"abxc", a={"seed": 3})


def test_one_item_a_line() -> None:
    lines = lock_text(three()).splitlines()
    # A changed strength touches the section's `with strength` line and its clips' own lines.
    changed = lock_text(three(b={"strength": 0.61})).splitlines()
    differ = [(old, new) for old, new in zip(lines, changed, strict=True) if old != new]
    assert [new.split()[0] for _, new in differ] == ["with", "body", "body", "body"]
