"""Clients that try to keep a server from its work, and honest ones beside them: each kind in a process of its own.

python -m tests.serve.hostile PORT SECONDS    prints what the honest clients saw, with every kind of attack
"""

import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
JSON: Final = {"Content-Type": "application/json"}


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(body: bytes, *, size: int | None = None) -> bytes:
    """A question, or only a part of it."""
    lines = ["POST /predict HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {size or len(body)}", "", ""]).encode() + body


def upload(body: bytes, *, size: int | None = None) -> bytes:
    """A file of lines to be labelled, or only a part of it."""
    lines = ["POST /file?name=x.txt HTTP/1.1", "Host: localhost", "Content-Type: application/octet-stream"]
    return "\r\n".join([*lines, f"Content-Length: {size or len(body)}", "", ""]).encode() + body


LARGE: Final = json.dumps({"texts": ["the cat and the dog"] * 10, "top_k": 1000}).encode()
LARGEST: Final = json.dumps({"texts": ["rain"] * 256, "top_k": 39}).encode()


class Kind(NamedTuple):
    """What an attacker sends when it is connected, and then each second; it reads nothing."""

    first: bytes
    then: Callable[[int], bytes] = lambda _second: b""
    half_closed: bool = False


def byte_of(content: bytes) -> Callable[[int], bytes]:
    return lambda second: content[second % len(content) :][:1]


KINDS: Final = {
    "page": Kind(get("/page.js") * 100, lambda _: get("/page.js")),
    "answers": Kind(post(LARGE) * 3, lambda _: post(LARGE)),
    "labels": Kind(post(LARGEST) + get("/model") * 3, lambda _: get("/model")),
    "no_body": Kind(post(b"", size=1000)),
    "part_of_body": Kind(post(b"[" * 900_000, size=1_000_000)),
    "slow_body": Kind(post(b"", size=1000), byte_of(b" ")),
    "slow_head": Kind(b"POST /predict HTTP/1.1\r\nHost: localhost\r\n", byte_of(b"X-A: b\r\n")),
    "silent": Kind(b""),
    "file": Kind(upload(b"the cat in the rain\n" * 20_000)),
    "part_of_file": Kind(upload(b"rain\n" * 200_000, size=40_000_000)),
    "half_closed": Kind(post(LARGE), half_closed=True),
    "half_a_request": Kind(post(b"{", size=1000), half_closed=True),
}


class Attacker:
    """One connection of a kind, made again whenever it ends."""

    def __init__(self, kind: Kind, port: int) -> None:
        self.kind, self.port = kind, port
        self.connections = 0
        self._connect()

    def _connect(self) -> None:
        self.connections += 1
        self.second = 0
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", self.port))
        self.unsent = memoryview(self.kind.first)

    def step(self) -> None:
        """Send what can be sent, without reading."""
        try:
            if self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
                if not self.unsent and self.kind.half_closed:
                    self.socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            self.socket.close()
            self._connect()

    def tick(self) -> None:
        """What it sends each second."""
        self.second += 1
        if not self.unsent and not self.kind.half_closed:
            self.unsent = memoryview(self.kind.then(self.second))
        if self.kind.half_closed and self.second > 5:
            self.socket.close()
            self._connect()


def attack(port: int, counts: dict[str, int], seconds: float) -> None:
    """Attack with so many connections of each kind, and print how many there were."""
    attackers = [(name, Attacker(KINDS[name], port)) for name, count in counts.items() for _ in range(count)]
    random.shuffle(attackers)
    end, tick = time.monotonic() + seconds, time.monotonic() + 1
    while (now := time.monotonic()) < end:
        for _, attacker in attackers:
            attacker.step()
            if now > tick:
                attacker.tick()
        tick = now + 1 if now > tick else tick
        time.sleep(0.05)
    made = dict.fromkeys(counts, 0)
    for name, attacker in attackers:
        made[name] += attacker.connections
    print(json.dumps(made))


class Seen(NamedTuple):
    """What the honest clients saw."""

    requests: int
    failures: list[str]
    p50: float
    p99: float
    longest: float
    """In seconds, like the two before."""


def behave(port: int, seconds: float, *, clients: int = 8) -> Seen:
    """Ask as honest clients do, half of them on one connection each."""
    times: list[float] = []
    failures: list[str] = []
    end = time.monotonic() + seconds
    threads = [Thread(target=_ask, args=(port, end, number % 2 == 0, times, failures)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ordered = sorted(times) or [float("inf")]
    p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    return Seen(len(times) + len(failures), failures[:20], p50, p99, ordered[-1])


def _ask(port: int, end: float, keeps: bool, times: list[float], failures: list[str]) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            connection.request("POST", "/predict", b'{"text": "the cat in the rain", "top_k": 3}', JSON)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status == 200:
                times.append(time.monotonic() - began)
            else:
                failures.append(f"{answer.status} {content[:80]!r}")
        except OSError as error:
            failures.append(f"{type(error).__name__} after {time.monotonic() - began:.2f} s")
            connection.close()
        if not keeps:
            connection.close()
        time.sleep(0.02)
    connection.close()


@contextmanager
def attacking(port: int, counts: dict[str, int], seconds: float) -> Iterator[None]:
    """Attack from another process meanwhile."""
    command = [sys.executable, "-m", "tests.serve.hostile", "attack", str(port), json.dumps(counts), str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def honest(port: int, seconds: float) -> Seen:
    """What honest clients in another process see."""
    command = [sys.executable, "-m", "tests.serve.hostile", "behave", str(port), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return Seen(*json.loads(done.stdout))


def main(what: str, port: str, *rest: str) -> None:
    if what == "attack":
        attack(int(port), json.loads(rest[0]), float(rest[1]))
    else:
        print(json.dumps(behave(int(port), float(rest[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
