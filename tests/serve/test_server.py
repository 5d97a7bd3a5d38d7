"""The process: where it listens, how it ends, what it says meanwhile."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.serve.conftest import serving, until_up
from textclf.cli import main

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

pytestmark = pytest.mark.slow


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses, in hexadecimal, and ports that a process listens on."""
    opened = {path.readlink().name for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        if Path(f"/proc/net/{table}").exists()
        for line in Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()[1:]
    ]
    own = [row[1].split(":") for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in opened]
    return {(address, int(port, 16)) for address, port in own}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
def test_it_listens_only_on_this_machine(server):
    assert listening(server.process.pid) == {("0100007F", server.port)}
    assert "warning" not in server.greeting


def test_another_address_is_a_warning_and_its_name_must_be_allowed(mlp_run):
    with serving("--run", str(mlp_run), "--host", "0.0.0.0", "--allowed-host", "example.test") as running:
        assert "warning: other machines can reach 0.0.0.0" in running.greeting
        assert running.ask("GET", "/metrics", Host="example.test").status == 200
        assert running.ask("GET", "/metrics", Host="other.test").status == 421


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGTERM, "1"),
        (signal.SIGINT, "2"),
        pytest.param(signal.SIGINT, "1", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, "2", marks=pytest.mark.long),
    ],
)
def test_it_finishes_running_requests_and_exits(number, workers, lstm_run):
    with serving("--run", str(lstm_run), "--num-workers", workers) as running:
        answers = []
        question = {"texts": ["the cat and the dog run " * 100] * 16, "explain": True}
        asking = threading.Thread(target=lambda: answers.append(running.predict(question)))
        idle = running.connect()
        asking.start()
        time.sleep(0.3)
        running.process.send_signal(number)
        assert running.process.wait(timeout=20) == 0  # the idle connection does not hold it up
        asking.join()
        idle.close()
        assert [answer.status for answer in answers] == [200]
        assert running.process.communicate() == ("", "")


def test_no_text_is_logged(mlp_run):
    with serving("--run", str(mlp_run)) as running:
        for body in ({"text": "sesame"}, {"text": "sesame", "top_k": 0}, '{"text": "sesame'):
            running.predict(body)
        running.ask("GET", "/sesame?sesame")
        running.process.send_signal(signal.SIGTERM)
        out, log = running.process.communicate(timeout=20)
    assert "sesame" not in out + log + running.greeting


def test_a_worker_that_is_killed_is_replaced_and_workers_count_together(mlp_run):
    with serving("--run", str(mlp_run), "--num-workers", "2") as running:
        time.sleep(2.2)  # workers that end sooner are taken for broken
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
        before = children.read_text(encoding="utf-8").split()
        os.kill(int(before[0]), signal.SIGKILL)
        end = time.monotonic() + 60
        while len(after := children.read_text(encoding="utf-8").split()) < 2 or set(after) == set(before):
            assert time.monotonic() < end
            time.sleep(0.05)
        until_up(running)
        assert {running.predict({"text": "rain"}).status for _ in range(20)} == {200}
        pages = {running.ask("GET", "/metrics").body.decode() for _ in range(5)}
    assert {page.split("textclf_texts_total ")[-1].split()[0] for page in pages} == {"20"}  # of all workers


LOADED = """
import json, os, signal, sys, threading, urllib.request
from textclf.serve import server
run = server.run
def ask_and_stop(app, listening, *, workers):
    def ask():
        port = listening.getsockname()[1]
        body = json.dumps({"text": "the cat", "explain": True}).encode()
        for path, data in (("/", None), ("/model", None), ("/predict", body)):
            url, headers = f"http://127.0.0.1:{port}{path}", {"Content-Type": "application/json"}
            request = urllib.request.Request(url, data, headers)
            urllib.request.urlopen(request).read()
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Thread(target=ask).start()
    run(app, listening, workers=workers)
server.run = ask_and_stop
from textclf.cli import main
try:
    main(["serve", "--port", "0", "--run", sys.argv[1]])
finally:
    print(json.dumps(sorted(sys.modules)))
"""


def test_it_runs_without_torch(mlp_run):
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(mlp_run)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    heavy = {"torch", "sklearn", "scipy", "pandas", "pyarrow", "matplotlib", "datasets", "tensorboard", "tqdm"}
    names = set(json.loads(done.stdout))
    assert "textclf.inference.explain" in names
    assert names & heavy == set()


def fails(runner, arguments, *parts):
    done = runner.invoke(main, ["serve", *arguments])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    for part in parts:
        assert part in done.stderr


def test_mistakes_are_one_line(runner, mlp_run, server):
    run = ["--run", str(mlp_run)]
    fails(runner, ["--run", "nowhere"], "no run nowhere")
    fails(runner, run * 3, "at most 2 runs")
    fails(runner, [*run, "--port", "70000"], "70000")
    fails(runner, [*run, "--port", str(server.port)], f"port {server.port}", "try another one: --port 0")
    fails(runner, [*run, "--host", "nowhere.invalid", "--port", "0"], "cannot listen on nowhere.invalid")


def test_without_the_extra_it_says_what_to_install(runner, mlp_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    for name in [name for name in sys.modules if name.startswith("textclf.serve")]:
        monkeypatch.delitem(sys.modules, name)
    fails(runner, ["--run", str(mlp_run)], "serve needs fastapi, which is not installed: pip install fastapi")
