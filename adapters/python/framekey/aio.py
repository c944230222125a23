# SPDX-License-Identifier: LGPL-2.1-or-later
"""The data plane for asyncio: many streams on one loop, without waiting for any of them."""

import asyncio
from typing import Any, Dict, Optional

from ._library import Buffer
from .channel import Channel, Result, Stream
from .errors import Error


class AsyncChannel:
    """A channel whose results come through futures. It takes the channel's reap() for itself, so that nobody else may
    submit on it, and the loop must be the running one.

        async with AsyncChannel(channel) as frames:
            result = await frames.run(stream, data)
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._loop = asyncio.get_running_loop()
        self._waiting: Dict[int, "asyncio.Future[Result]"] = {}
        self._next_cookie = 0
        self._flush_wanted = False
        self._fd: Optional[int] = channel.fileno()
        self._loop.add_reader(self._fd, self._take_results)
        self._take_results()  # the descriptor tells of the next result only after reap() has found none

    async def __aenter__(self) -> "AsyncChannel":
        return self

    async def __aexit__(self, *_error: Any) -> None:
        self.close()

    def close(self) -> None:
        """Frames under way are forgotten; the channel stays open."""
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            self._fd = None
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()

    async def run(self, stream: Stream, data: Buffer, **about: Any) -> Result:
        """Encrypts or decrypts a frame, as the stream was granted. `about` is as for Stream.encrypt(). Raises NoFreeSlot
        at once if too many frames are under way: drop this one.
        """
        if self._fd is None:
            raise ValueError("this channel is closed: open another one")
        cookie = self._next_cookie
        self.channel.submit(stream, data, cookie, flush=False, **about)
        self._next_cookie += 1
        future: "asyncio.Future[Result]" = self._loop.create_future()
        self._waiting[cookie] = future
        # All that is submitted in this turn of the loop goes out with one ring of the bell.
        if not self._flush_wanted:
            self._flush_wanted = True
            self._loop.call_soon(self._flush)
        return await future

    def _flush(self) -> None:
        self._flush_wanted = False
        if self._fd is None:
            return
        try:
            self.channel.flush()
        except Error as error:
            self._fail(error)

    def _take_results(self) -> None:
        try:
            for cookie, result in self.channel.reap():
                future = self._waiting.pop(cookie, None)
                if future is None or future.done():
                    continue
                if isinstance(result, Error):
                    future.set_exception(result)
                else:
                    future.set_result(result)
        except (Error, ValueError) as error:
            self._fail(error)

    # The channel has ended: nobody waits for ever.
    def _fail(self, error: Exception) -> None:
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        self.close()
