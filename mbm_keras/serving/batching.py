"""Requests that come at the same time are answered by one call of the model."""

import asyncio
import collections
import concurrent.futures
import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from mbm_keras.serving.limits import refuse


@dataclasses.dataclass
class _Waiting:
    rows: Sequence[tuple]
    future: Any


class Batcher:
    """Collects rows of requests, and answers them in one thread.

    While the model answers, requests wait, and are its next batch. An idle model waits
    for `limits.batch_wait` seconds after the first request. A batch that fails is
    repeated request by request, so that one cannot fail the others.

    Args:
        answer: Takes rows, returns arrays `(rows, ...)` by name; called in a thread.
        limits: The `Limits`.
        observe: Called with the number of rows and the seconds of each batch.
    """

    def __init__(self, answer, limits, observe=lambda rows, seconds: None):
        self._answer, self._limits, self._observe = answer, limits, observe
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._arrived = asyncio.Event()
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._task: Any = None
        self.waiting_rows = 0

    def start(self) -> None:
        """Begins to answer; called in the event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends. Requests that still wait are refused."""
        self._task.cancel()
        await asyncio.wait([self._task])
        for item in self._queue:
            if not item.future.done():
                item.future.set_exception(refuse(503, "stopping", "The server stops."))
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def ask(self, rows: Sequence[tuple]) -> dict[str, Any]:
        """Answers the rows of one request.

        Raises:
            Refused: If too many wait, the answer takes too long, or the model fails.
        """
        if self.waiting_rows + len(rows) > self._limits.waiting_rows:
            raise refuse(503, "busy", "Too many requests wait. Try again later.")
        item = _Waiting(rows, asyncio.get_running_loop().create_future())
        self._queue.append(item)
        self.waiting_rows += len(rows)
        self._arrived.set()
        try:
            return await asyncio.wait_for(item.future, self._limits.seconds)
        except TimeoutError:
            message = f"No answer within {self._limits.seconds:g} s."
            raise refuse(504, "timeout", message) from None

    async def _run(self):
        while True:
            await self._arrived.wait()
            await self._collect()
            batch = self._take()
            if batch:
                await self._answer_batch(batch)
            if not self._queue:
                self._arrived.clear()

    async def _collect(self):
        """Waits a moment for more than the first request."""
        end = time.monotonic() + self._limits.batch_wait
        while self.waiting_rows < self._limits.batch_rows and time.monotonic() < end:
            before = len(self._queue)
            await asyncio.sleep(self._limits.batch_wait / 4)
            if len(self._queue) == before:
                return  # the others are answered, or wait for this

    def _take(self):
        """The requests of the next batch; those that were given up are left out."""
        batch, number = [], 0
        while self._queue:
            size = len(self._queue[0].rows)
            if batch and number + size > self._limits.batch_rows:
                break
            item = self._queue.popleft()
            self.waiting_rows -= size
            if not item.future.done():
                batch.append(item)
                number += size
        return batch

    async def _answer_batch(self, batch):
        rows = [row for item in batch for row in item.rows]
        loop, start = asyncio.get_running_loop(), time.monotonic()
        try:
            found = await loop.run_in_executor(self._thread, self._answer, rows)
        except Exception as error:
            if len(batch) > 1:
                for item in batch:
                    await self._answer_batch([item])
                return
            reason = f"The model failed: {type(error).__name__}."
            if not batch[0].future.done():
                batch[0].future.set_exception(refuse(500, "failed", reason))
            return
        self._observe(len(rows), time.monotonic() - start)
        first = 0
        for item in batch:
            last = first + len(item.rows)
            if not item.future.done():
                part = {name: values[first:last] for name, values in found.items()}
                item.future.set_result(part)
            first = last
