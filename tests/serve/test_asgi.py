import json

from textclf.serve.asgi import Refused, refusal


def test_a_refusal_is_one_line_of_json_and_closes_the_connection() -> None:
    headers, content = refusal(Refused(422, "the text\nis missing"))
    assert json.loads(content) == {"error": "the text\nis missing"}
    assert b"\n" not in content
    assert dict(headers) == {
        b"content-type": b"application/json",
        b"content-length": str(len(content)).encode(),
        b"connection": b"close",
    }


def test_a_busy_server_says_when_to_try_again() -> None:
    assert dict(refusal(Refused(503, ""))[0])[b"retry-after"] == b"1"
