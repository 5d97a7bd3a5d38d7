"""Bodies that come slowly, stop, end early or are too long."""

import asyncio
import time

import pytest

from textclf.serve import bodies
from textclf.serve.asgi import Refused
from textclf.serve.bodies import Bodies
from textclf.serve.clients import LEAST_BYTES

STALL = 0.2
NEVER = None


def receiving(*pieces, pause=0.0, ends=True):
    """A receive function that gives these pieces, then nothing more; NEVER waits for ever, an exception is the end."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if ends and messages:
        messages[-1]["more_body"] = False

    async def receive():
        await asyncio.sleep(pause)
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    return receive


def read(receive, *, most=1_000_000, **limits):
    async def main():
        body = bytearray()
        try:
            await Bodies(stall_seconds=STALL, **limits).read(receive, body.extend, most=most)
        except Refused as refused:
            return refused.status
        return bytes(body)

    return asyncio.run(main())


def test_a_body_is_read_piece_by_piece():
    assert read(receiving(b"ab", b"", b"cd")) == b"abcd"


def test_one_that_takes_long_is_read_while_it_moves():
    pieces = [bytes(LEAST_BYTES)] * 5
    assert read(receiving(*pieces, pause=0.7 * STALL)) == b"".join(pieces)


@pytest.mark.parametrize("pieces", [[], [b"a"], [b"a"] * 50, [bytes(LEAST_BYTES - 1)] + [b""] * 50])
def test_one_that_stops_or_comes_byte_by_byte_is_refused(pieces):
    assert read(receiving(*pieces, pause=STALL / 9, ends=False)) == 408


def test_one_that_ends_early_is_refused():
    async def receive():
        return {"type": "http.disconnect"}

    assert read(receive) == 400


def test_one_that_is_whole_but_too_long_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(bodies, "DRAIN_SECONDS", 60)
    began = time.monotonic()
    assert read(receiving(b"a" * 11), most=10) == 413
    assert read(receiving(b"a" * 6, b"a" * 6, b"a"), most=10) == 413
    assert time.monotonic() - began < bodies.DRAIN_SECONDS / 2


def test_the_rest_of_one_that_is_too_long_is_read_but_not_kept():
    written = []
    receive = receiving(b"a" * 6, b"b" * 6, *[b"c" * 1000] * 100)

    async def main():
        with pytest.raises(Refused, match="longer than 10 bytes"):
            await Bodies().read(receive, written.append, most=10)
        await asyncio.wait_for(receive(), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert written == [b"a" * 6]


def test_of_too_many_bytes_together_the_one_that_has_stopped_longest_is_refused():
    async def main():
        together = Bodies(most_bytes=10_000, stall_seconds=60)

        async def read(*pieces):
            try:
                await together.read(receiving(*pieces, ends=False), lambda _: None, most=100_000)
            except Refused as refused:
                return refused.status

        tasks = []
        for size in (3000, 6000, 2000, 6000):
            tasks.append(asyncio.create_task(read(bytes(size))))
            await asyncio.sleep(0.02)
        done = [task.done() and task.result() for task in tasks]
        for task in tasks:
            task.cancel()
        return done

    # 2,000 bytes are no progress, so that body is older than the one of 3,000 that came before it
    assert asyncio.run(main()) == [408, 408, False, False]
