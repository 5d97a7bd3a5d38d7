"""Connections that are odd but allowed, and those that would take too much."""

import json
import socket

import pytest

from tests.serve.conftest import Running
from tests.serve.test_guard import QUESTION, head, raw, received

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from textclf.serve.protocol import HEAD_BYTES, MOST_HEADERS, MOST_QUEUED, MOST_URL_BYTES

pytestmark = pytest.mark.slow

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
ASKING = head(b"Content-Length: %d" % len(QUESTION)) + QUESTION.encode()


@pytest.fixture(autouse=True)
def _lives_on(server):
    yield
    assert server.predict({"text": "rain"}).status == 200


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    ("content", "status", "part"),
    [
        (GET + b"A: b\r\n" * MOST_HEADERS + b"\r\n", 431, f"at most {MOST_HEADERS} headers"),
        (GET + b"A: " + b"a" * (HEAD_BYTES + 5000) + b"\r\n\r\n", 431, "headers"),
        (GET + b"A: " + b"a" * (HEAD_BYTES + 5000), 431, "headers"),
        (GET + b"a" * 4 * HEAD_BYTES, 431, "headers"),
        (GET.replace(b"health", b"h" * MOST_URL_BYTES) + b"\r\n", 414, f"longer than {MOST_URL_BYTES:,} bytes"),
        (b"\x00\x01", 400, "not an HTTP request"),
        (GET[:-2] + b"\x00\r\n\r\n", 400, "not an HTTP request"),
    ],
)
def test_a_head_that_is_too_long_is_refused_with_the_limit(content, status, part, server):
    answer = raw(server, content)
    assert statuses(answer) == [status]
    assert part in json.loads(answer.split(b"\r\n\r\n")[1])["error"]


def test_a_head_within_the_limits_is_read(server):
    cookies = b"Cookie: " + b"a" * (HEAD_BYTES - 6000) + b"\r\n"
    assert statuses(raw(server, GET + cookies + b"A: b\r\n" * 90 + b"Connection: close\r\n\r\n")) == [200]


def test_requests_in_advance_are_answered_in_order_and_then_the_connection_closes(server):
    answer = raw(server, ASKING + (GET + b"\r\n") * 200)
    assert statuses(answer) == [200] * (MOST_QUEUED + 1)
    assert answer.index(b"predictions") < answer.index(b'"ok"')
    assert answer.count(b"connection: close") == 1
    assert answer.rindex(b"HTTP/1.1") < answer.index(b"connection: close")


def test_what_follows_requests_that_is_none_changes_none_of_their_answers(server):
    answer = raw(server, ASKING + GET + b"\r\n" + b"\x00\x01\r\n\r\n")
    assert statuses(answer) in ([200], [200, 200], [200, 200, 400])
    assert b"predictions" in answer


def half_closed(server: Running, content: bytes) -> bytes:
    connection = server.connect()
    connection.sendall(content)
    connection.shutdown(socket.SHUT_WR)
    return received(connection)


def test_a_client_that_only_stops_sending_is_answered(server):
    assert statuses(half_closed(server, ASKING)) == [200]
    assert statuses(half_closed(server, ASKING + GET + b"\r\n")) == [200, 200]


@pytest.mark.parametrize("content", [b"", b"GET / HT", GET, head(b"Content-Length: 9") + b"{"])
def test_half_a_request_of_a_client_that_stops_is_given_up(content, server):
    assert half_closed(server, content) in {b"", b"HTTP/1.1 400 Bad Request\r\n"}


def test_a_body_that_nobody_asked_for_is_not_read(server):
    assert statuses(raw(server, GET + b"Content-Length: 9\r\n\r\n" + b"a" * 9)) == [200]
    assert statuses(raw(server, GET + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")) == [200]


def test_headers_after_a_body_are_not_kept(server):
    body = b"%x\r\n%s\r\n0\r\n" % (len(QUESTION), QUESTION.encode())
    content = head(b"Transfer-Encoding: chunked", b"Connection: close") + body + b"Host: evil.test\r\n" * 9 + b"\r\n"
    assert statuses(raw(server, content)) == [200]
