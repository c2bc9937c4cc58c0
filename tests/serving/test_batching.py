"""Rows of several requests in one call of the model."""

import asyncio
import threading

import numpy as np
import pytest

from mbm_keras.serving.batching import Batcher
from mbm_keras.serving.limits import Bodies
from mbm_keras.serving.limits import Limits
from mbm_keras.serving.limits import Refused


def run(scenario, answer, **limits):
    """Runs a coroutine with a batcher; returns what it returns."""

    async def main():
        batcher = Batcher(answer, Limits(**limits))
        batcher.start()
        try:
            return await scenario(batcher)
        finally:
            await batcher.stop()

    return asyncio.run(main())


def double(rows):
    return {"y": np.array([2 * x for (x,) in rows])}


def test_requests_get_their_own_rows_of_a_shared_batch():
    sizes = []

    def answer(rows):
        sizes.append(len(rows))
        return double(rows)

    async def scenario(batcher):
        asked = [batcher.ask([(i,)] * (1 + i % 3)) for i in range(20)]
        return await asyncio.gather(*asked)

    found = run(scenario, answer, batch_rows=16)
    assert [x["y"].tolist() for x in found] == [
        [2 * i] * (1 + i % 3) for i in range(20)
    ]
    assert len(sizes) < 5 and max(sizes) <= 16


def test_a_request_that_fails_does_not_fail_those_in_its_batch():
    def answer(rows):
        if (3,) in rows:
            raise RuntimeError("three")
        return double(rows)

    async def scenario(batcher):
        asked = [batcher.ask([(i,)]) for i in range(5)]
        return await asyncio.gather(*asked, return_exceptions=True)

    found = run(scenario, answer)
    assert isinstance(found[3], Refused) and found[3].status == 500
    assert [x["y"][0] for x in found[:3]] == [0, 2, 4] and found[4]["y"][0] == 8


def test_a_full_queue_and_a_slow_model_are_refused_and_the_next_is_answered():
    free = threading.Event()

    def answer(rows):
        free.wait(5)
        return double(rows)

    async def scenario(batcher):
        asked = [asyncio.create_task(batcher.ask([(i,)])) for i in range(4)]
        late = await asyncio.gather(*asked, return_exceptions=True)
        free.set()
        return late, await batcher.ask([(7,)])

    late, after = run(scenario, answer, seconds=0.2, waiting_rows=3)
    assert sorted(x.status for x in late) == [503, 504, 504, 504]
    assert after["y"][0] == 14


class Request:
    """A body in parts, each of which comes after some seconds."""

    def __init__(self, parts, seconds=0.0, headers=None):
        self.parts, self.seconds, self.headers = parts, seconds, headers or {}

    async def stream(self):
        for part in self.parts:
            await asyncio.sleep(self.seconds)
            yield part


@pytest.mark.parametrize(
    "request_, status",
    [
        (Request([b"abc"] * 4), 413),
        (Request([], headers={"content-length": "11"}), 413),
        (Request([b"a"] * 5, seconds=0.1), 408),
    ],
)
def test_a_large_or_slow_body_is_refused_and_its_memory_given_back(request_, status):
    bodies = Bodies(Limits(request_bytes=10, body_seconds=0.15))
    with pytest.raises(Refused) as error:
        asyncio.run(bodies.read(request_))
    assert error.value.status == status and bodies.bytes == 0


def test_bodies_have_a_limit_together():
    async def main():
        bodies = Bodies(Limits(request_bytes=10, total_bytes=15))
        assert await bodies.read(Request([b"a" * 9])) == b"a" * 9
        with pytest.raises(Refused) as error:
            await bodies.read(Request([b"a" * 9]))
        assert error.value.status == 503
        bodies.release(9)
        return await bodies.read(Request([b"a" * 9])), bodies.bytes

    assert asyncio.run(main()) == (b"a" * 9, 9)
