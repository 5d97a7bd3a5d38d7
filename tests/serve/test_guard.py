"""Hostile requests: each is refused with its status, and the server lives on."""

import asyncio
import json
import socket
import threading
import time
from contextlib import suppress

import pytest

from tests.serve.conftest import Running

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from textclf.serve.counting import Counts
from textclf.serve.guard import SECURITY_HEADERS, Guard

pytestmark = pytest.mark.slow

QUESTION = json.dumps({"text": "rain and wind"})


@pytest.fixture(autouse=True)
def _lives_on(request):
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        assert server.predict({"text": "rain"}).status == 200


def received(connection: socket.socket) -> bytes:
    """All that the server says until it closes the connection."""
    answer = b""
    with connection:
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
    return answer


def raw(server: Running, content: bytes) -> bytes:
    """All that the server says to these bytes."""
    connection = server.connect()
    connection.sendall(content)
    return received(connection)


def head(*more: bytes) -> bytes:
    """The head of a question, with some headers more."""
    lines = [b"POST /predict HTTP/1.1", b"Host: localhost", b"Content-Type: application/json", *more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def send_without_end(connection: socket.socket, piece: bytes, *, pieces: int) -> None:
    for _ in range(pieces):
        connection.sendall(piece)


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:8000",
        "",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "localhost:80:80",
        "[::1",
        "127.1",
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/model"), ("POST", "/predict")])
def test_another_name_is_refused(host, method, path, server):
    answered = server.ask(method, path, QUESTION if method == "POST" else None, Host=host)
    assert (answered.status, list(answered.json)) == (421, ["error"])


@pytest.mark.parametrize("host", ["10.1.2.3:8000", "pod.cluster.local", "evil.test", ""])
def test_a_probe_may_ask_for_health_by_any_name_and_for_nothing_else(host, server):
    assert server.ask("GET", "/health", Host=host).json == {"status": "ok"}
    assert server.ask("POST", "/health", "{}", Host=host).status == 421
    for path in ("/health/", "/metrics", "//health", "/health?x=/model"):
        assert server.ask("GET", path, Host=host).status == (200 if "?" in path else 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
def test_the_names_of_this_machine_are_known(host, server):
    assert server.ask("GET", "/health", Host=host).status == 200


@pytest.mark.parametrize("hosts", [b"", b"Host: localhost\r\nHost: evil.test\r\n"])
def test_no_name_and_two_names_are_refused(hosts, server):
    answer = raw(server, b"GET /model HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
    assert answer.split()[1] in {b"421", b"400"}
    assert b"labels" not in answer


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
        "",
    ],
)
def test_only_json_is_read(kind, server):
    assert server.ask("POST", "/predict", QUESTION, Content_Type=kind).status == 415
    assert server.ask("POST", "/predict", QUESTION, Content_Encoding="gzip").status == 415


def test_json_in_utf_8_is_read(server):
    assert server.ask("POST", "/predict", QUESTION, Content_Type="application/json; charset=UTF-8").status == 200


def test_a_page_of_another_site_gets_no_permission(server):
    asked = {"Origin": "http://evil.test", "Access_Control_Request_Method": "POST"}
    for answered in (
        server.ask("OPTIONS", "/predict", **asked),
        server.ask("POST", "/predict", QUESTION, Origin="http://evil.test"),
    ):
        assert not [name for name in answered.headers if name.startswith("access-control")]


CHUNK = b"10000\r\n" + b"a" * 65536 + b"\r\n"


def chunked(size: int) -> bytes:
    return head(b"Transfer-Encoding: chunked") + CHUNK * (size // 65536) + b"0\r\n\r\n"


def announced(size: int) -> bytes:
    return head(b"Content-Length: %d" % size) + b"a" * size


@pytest.mark.parametrize("request_of", [chunked, announced])
def test_a_body_that_is_too_long_is_refused_and_not_kept(request_of, server):
    content = request_of(6_000_000)  # more than waits on its way: only who reads it to its end can answer
    raw(server, content)
    before = server.memory()
    for _ in range(10):
        assert raw(server, content).startswith(b"HTTP/1.1 413 ")
    assert server.memory() - before < 10_000_000


def test_a_body_that_is_announced_too_long_is_not_waited_for(server):
    assert raw(server, head(b"Content-Length: 2000000", b"Expect: 100-continue")).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_end_is_cut_off(server):
    with server.connect() as connection:
        connection.sendall(head(b"Transfer-Encoding: chunked"))
        with pytest.raises(OSError):  # noqa: PT011 - reset, or broken pipe
            send_without_end(connection, CHUNK, pieces=3000)


def test_a_megabyte_of_text_is_answered(server):
    answered = server.predict({"text": "rain and wind " * 71_000})
    assert (answered.status, answered.json["predictions"][0]["label"]) == (200, "weather")


def drip(connections: list[socket.socket], stop: threading.Event) -> None:
    """Send a request a byte a second, on half of the connections a whole head first."""
    content = head(b"Content-Length: 99")
    for place in range(len(content)):
        for number, connection in enumerate(connections):
            with suppress(OSError):
                connection.send(content if place == 0 and number % 2 else content[place : place + 1])
        if stop.wait(1):
            return


def test_two_hundred_slow_requests_hold_nobody_up(server):
    slow = [server.connect() for _ in range(200)]
    stop = threading.Event()
    dripping = threading.Thread(target=drip, args=(slow, stop))
    dripping.start()
    try:
        for _ in range(5):
            time.sleep(0.3)
            began = time.monotonic()
            assert server.predict({"text": "rain"}).status == 200
            assert time.monotonic() - began < 5  # a slow request is held for ten
    finally:
        stop.set()
        dripping.join()
        for connection in slow:
            connection.close()


def test_a_request_must_arrive_within_ten_seconds(server):
    contents = [head(b"Content-Length: 20") + b"{", b"POST /predict HTTP/1.1\r\nHost: localh", b""]
    began = time.monotonic()
    connections = [server.connect() for _ in contents]
    for connection, content in zip(connections, contents, strict=True):
        connection.sendall(content)
    answers = [received(connection) for connection in connections]
    assert 9 < time.monotonic() - began < 25
    assert answers[0].startswith(b"HTTP/1.1 408 ")
    assert answers[1:] == [b"", b""]


def test_a_head_without_end_is_cut_off(server):
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with pytest.raises(OSError):  # noqa: PT011 - reset, or broken pipe
            send_without_end(connection, b"X: %s\r\n" % (b"a" * 1000), pieces=10_000)


@pytest.mark.parametrize(
    "content", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_a_request_that_is_not_http_is_refused(content, server):
    assert raw(server, content).startswith(b"HTTP/1.1 400 ")


def test_requests_may_follow_each_other_on_a_connection(server):
    length = b"Content-Length: %d" % len(QUESTION)
    first, last = (head(length, *more) + QUESTION.encode() for more in ((), (b"Connection: close",)))
    assert raw(server, first * 2 + last).count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/", None),
        ("GET", "/model", None),
        ("GET", "/nothing", None),
        ("POST", "/predict", QUESTION),
        ("POST", "/predict", "{"),
    ],
)
def test_every_answer_has_the_headers_of_the_list_and_no_other(method, path, body, server):
    headers = server.ask(method, path, body).headers
    for name, value in SECURITY_HEADERS.items():
        assert headers.pop(name) == value
    assert set(headers) <= {"content-type", "content-length", "date", "connection"}


def test_the_policy_of_the_page_is_strict():
    policy = dict(part.strip().split(" ", 1) for part in SECURITY_HEADERS["content-security-policy"].split(";"))
    assert policy.pop("default-src") == policy.pop("base-uri") == "'none'"
    assert policy.pop("form-action") == policy.pop("frame-ancestors") == "'none'"
    assert set(policy.values()) == {"'self'"}


async def asked(app: Guard) -> tuple[int, bytes]:
    """The status and body of a question to an app in this process."""
    messages = []
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]

    async def receive():
        return {"type": "http.request", "body": QUESTION.encode()}

    async def send(message):
        messages.append(message)

    await app({"type": "http", "method": "POST", "path": "/predict", "headers": headers}, receive, send)
    return messages[0]["status"], messages[1]["body"]


async def slowly(scope, receive, send):
    await asyncio.sleep(0.05)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def test_too_many_requests_at_once_get_503():
    app = Guard(slowly, hosts=(), counts=Counts(), most_at_once=3)

    async def main():
        first = await asyncio.gather(*(asked(app) for _ in range(5)))
        return [status for status, _ in [*first, await asked(app)]]

    assert asyncio.run(main()) == [200, 200, 200, 503, 503, 200]


def test_a_failure_says_where_and_nothing_of_the_text(capsys):
    async def fail(scope, receive, send):
        raise ValueError((await receive())["body"])

    assert asyncio.run(asked(Guard(fail, hosts=(), counts=Counts()))) == (
        500,
        b'{"error": "the server failed; its log says where"}',
    )
    log = capsys.readouterr().err
    assert log.startswith("textclf: a request failed: ValueError in ")
    assert log.count("\n") == 1
    assert "rain" not in log
