"""Connections that say nothing, or take no answer, are closed."""


def protocol_of(limits):
    """The protocol of uvicorn, with a limit for the time of a connection.

    uvicorn closes a connection that is idle after a request. One that never sends all
    of its headers, or never reads its answer, would remain open.

    Args:
        limits: The `Limits`.
    """
    from uvicorn.protocols.http.h11_impl import H11Protocol

    longest = limits.idle_seconds + limits.body_seconds + limits.seconds

    class Protocol(H11Protocol):
        def connection_made(self, transport):
            super().connection_made(transport)
            self._is_late = False
            self._watch(limits.idle_seconds)

        def connection_lost(self, error):
            self._deadline.cancel()
            super().connection_lost(error)

        def on_response_complete(self):
            super().on_response_complete()
            self._deadline.cancel()
            self._is_late = False
            self._watch(limits.idle_seconds)

        def _watch(self, seconds):
            self._deadline = self.loop.call_later(seconds, self._close_idle)

        def _close_idle(self):
            is_answering = self.cycle and not self.cycle.response_complete
            if not is_answering:
                self.transport.close()
            elif self._is_late:
                self.transport.abort()  # what was not read is dropped
            else:
                self._is_late = True
                self._watch(longest)

    return Protocol
