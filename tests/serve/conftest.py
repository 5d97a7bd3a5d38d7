"""A server as a user starts it: a process of its own, on a port of its own."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from textclf.serve.counting import Counts

JSON = {"Content-Type": "application/json"}


class Answered(NamedTuple):
    """A response, its headers by names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Running(NamedTuple):
    """A server under test."""

    process: subprocess.Popen[str]
    port: int
    greeting: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """Send one request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            content = body if isinstance(body, str | bytes) or body is None else json.dumps(body)
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, content, {**(JSON if content is not None else {}), **given})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answered(response.status, names, response.read())
        finally:
            connection.close()

    def predict(self, body: Any) -> Answered:
        return self.ask("POST", "/predict", body)

    def memory(self) -> int:
        """Resident bytes of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) * 1024

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


def samples(counts: Counts) -> dict[str, float]:
    """The value of each series that is reported."""
    lines = counts.exposition().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


@contextmanager
def serving(*arguments: str) -> Iterator[Running]:
    """`textclf serve` at a free port, ended by SIGTERM."""
    command = [sys.executable, "-m", "textclf", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        greeting = ""
        while "serving" not in greeting:
            line = process.stderr.readline()
            assert line, greeting
            greeting += line
        running = Running(process, int(re.findall(r":(\d+)/;", greeting)[0]), greeting)
        try:
            until_up(running)
            yield running
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def until_up(running: Running) -> None:
    """Wait for the first answer."""
    end = time.monotonic() + 60
    while True:
        try:
            assert running.ask("GET", "/health").status == 200
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def mlp_run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the small corpus."""
    return _trained("mlp", data_dir, tmp_path_factory)


@pytest.fixture(scope="session")
def lstm_run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one, of the other model."""
    return _trained("lstm", data_dir, tmp_path_factory)


def _trained(model: str, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.conftest import small_config
    from textclf import training

    return training.train(small_config(model, data_dir, tmp_path_factory.mktemp("served"), epochs=2)).root


@pytest.fixture(scope="session")
def server(mlp_run: Path, lstm_run: Path) -> Iterator[Running]:
    """One that all tests share, with two runs."""
    with serving("--run", str(mlp_run), "--run", str(lstm_run)) as running:
        yield running
