"""The limits of a request."""

import json

import pytest

from textclf.serve.asgi import Refused
from textclf.serve.query import MOST_SCORES, parse

TEXT = "a" * 20_000


def parsed(**given):
    return parse(json.dumps(given).encode())


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"texts": ["a"] * 256, "top_k": 40}, f"at most {MOST_SCORES:,} labels per request"),
        ({"texts": ["a"] * 11, "top_k": 1000}, "not 11 texts x top_k 1000"),
        ({"texts": [TEXT] * 3, "explain": True}, "more than 40,000 characters together"),
        ({"texts": ["a"] * 17, "explain": True}, "at most 16 texts"),
    ],
)
def test_a_request_that_would_take_too_much_is_refused_with_the_limit(given, part):
    with pytest.raises(Refused) as refused:
        parsed(**given)
    assert refused.value.status == 422
    assert part in refused.value.why
    assert "\n" not in refused.value.why


@pytest.mark.parametrize(
    ("given", "is_large"),
    [
        ({"text": "a", "top_k": 256}, False),
        ({"text": "a", "top_k": 257}, True),
        ({"texts": ["a"] * 256}, False),
        ({"texts": ["a"] * 256, "top_k": 39}, True),
        ({"texts": ["a"] * 10, "top_k": 1000}, True),
        ({"texts": [TEXT] * 2}, False),
        ({"texts": [TEXT] * 3}, True),
    ],
)
def test_a_large_request_is_told_from_a_small_one(given, is_large):
    assert parsed(**given).is_large == is_large


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"text": "\\ud800"}'])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(Refused) as refused:
        parse(body)
    assert refused.value.status == 400
