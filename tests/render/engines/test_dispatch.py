"""The queue of batches: what workers get, and what becomes of the batches of a lost one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from riffcomposer.render.engines.dispatch import LATE, Batch, BatchQueue


def taken(queue: BatchQueue, worker: str) -> Batch:
    batch = queue.take(worker)
    assert batch is not None
    return batch


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_worker_has_two_batches_at_most() -> None:
    queue = BatchQueue(["ab", "cd", "ef"])
    assert [taken(queue, "w").keys for _ in range(2)] == [("a", "b"), ("c", "d")]
    assert queue.take("w") is None


def test_results_count_once_and_only_from_whom_they_were_asked() -> None:
    queue = BatchQueue(["a"])
    taken(queue, "w")
    assert not queue.result("stranger", "a")
    assert queue.result("w", "a")
    assert not queue.result("w", "a")
    assert not queue.unfinished


def test_a_lost_workers_clips_come_back_first_and_one_by_one() -> None:
    queue = BatchQueue(["abc", "de", "fg"])
    taken(queue, "w"), taken(queue, "w")
    queue.result("w", "a")
    loss = queue.lose("w")
    assert loss.back == ("b", "c", "d", "e")
    assert loss.given_up == ()
    got = [taken(queue, worker).keys for worker in ("x", "y", "x", "y")]
    assert got == [("b",), ("c",), ("d", "e"), ("f", "g")]


def test_a_clip_is_given_up_after_three_workers_and_its_neighbours_are_not() -> None:
    queue = BatchQueue(["ab"])
    for worker in ("1", "2"):
        assert "a" in taken(queue, worker).keys
        assert queue.lose(worker).given_up == ()
    taken(queue, "3")
    assert queue.lose("3").given_up == ("a",)
    assert queue.result(None, "a")
    assert taken(queue, "4").keys == ("b",)
    queue.result("4", "b")
    assert not queue.unfinished


def test_an_idle_worker_takes_over_what_waits_at_another() -> None:
    queue = BatchQueue(["a", "b"])
    first, second = taken(queue, "slow"), taken(queue, "slow")
    assert taken(queue, "idle").keys == ("b",)
    assert queue.drops() == [("slow", second.number)]
    assert queue.drops() == []
    assert queue.ended("slow", second.number) == ()
    assert queue.held("slow") == 1
    assert first.keys == ("a",)


def test_a_late_batch_is_made_twice_and_the_slower_one_is_dropped() -> None:
    clock = Clock()
    queue = BatchQueue("abcd", clock=clock)
    straggling = taken(queue, "slow")
    for key in "bcd":
        batch = taken(queue, "quick")
        clock.seconds += 1
        assert queue.result("quick", key)
        queue.ended("quick", batch.number)
    assert clock.seconds <= LATE
    assert queue.take("quick") is None, "it is not late yet"
    clock.seconds += 1
    assert taken(queue, "quick").keys == ("a",)
    assert queue.take("third") is None, "twice is enough"
    assert queue.result("quick", "a")
    assert queue.drops() == [("slow", straggling.number)]
    assert not queue.result("slow", "a")
    assert not queue.unfinished


def test_a_copy_outlives_the_worker_with_the_original() -> None:
    clock = Clock()
    queue = BatchQueue("ab", clock=clock)
    taken(queue, "slow")
    batch = taken(queue, "quick")
    clock.seconds = 1
    queue.result("quick", "b")
    queue.ended("quick", batch.number)
    clock.seconds = 100
    assert taken(queue, "quick").keys == ("a",)
    assert queue.lose("slow").back == ()
    assert queue.result("quick", "a")


def test_a_batch_that_ends_early_owes_its_keys() -> None:
    queue = BatchQueue(["ab"])
    batch = taken(queue, "w")
    queue.result("w", "a")
    assert queue.ended("w", batch.number) == ("b",)
    assert queue.result(None, "b")
    assert not queue.unfinished


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=40), st.integers(1, 20), st.integers(1, 4)
)
def test_every_key_gets_one_result_whatever_dies(fates: list[tuple[int, bool]], keys: int, size: int) -> None:
    names = [f"k{number}" for number in range(keys)]
    queue = BatchQueue([names[at : at + size] for at in range(0, keys, size)])
    settled: list[str] = []
    workers = ["w0", "w1", "w2"]
    holding: dict[str, list[Batch]] = {worker: [] for worker in workers}
    turn = 0
    while queue.unfinished and turn < 1000:
        for worker in workers:
            while (batch := queue.take(worker)) is not None:
                holding[worker].append(batch)
        for worker, number in queue.drops():
            holding[worker] = [batch for batch in holding[worker] if batch.number != number]
        place, dies = fates[turn] if turn < len(fates) else (turn % 3, False)
        worker = workers[place]
        if dies:
            settled += [key for key in queue.lose(worker).given_up if queue.result(None, key)]
            workers[place] = f"w{turn + 3}"
            holding[workers[place]] = []
        elif holding[worker]:
            batch = holding[worker].pop(0)
            settled += [key for key in batch.keys if queue.result(worker, key)]
            queue.ended(worker, batch.number)
        turn += 1
    assert sorted(settled) == sorted(names)
