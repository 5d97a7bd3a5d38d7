from pathlib import Path

import pytest

from textclf.sources import urls
from textclf.sources.opening import name_of

SECRET = "https://user:pass@host.org/data/a.csv?X-Amz-Signature=secret#part"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("s3://bucket/a.csv", True),
        ("hf://datasets/owner/name/a.csv", True),
        ("memory://a.csv", True),
        ("bbc_news", False),
        ("owner/name", False),
        ("data/*.csv", False),
        ("C:/a.csv", False),
        ("://a.csv", False),
        ("simplecache::s3://bucket/a.csv", False),
    ],
)
def test_a_url_begins_with_a_scheme(source, expected):
    assert urls.is_url(source) is expected


def test_a_url_is_shown_without_user_password_query_and_fragment():
    assert urls.without_secrets(SECRET) == "https://host.org/data/a.csv"
    assert urls.without_secrets("s3://key:secret@bucket/a?b#c.csv") == "s3://bucket/a?b#c.csv"
    assert urls.without_secrets("reviews?.csv") == "reviews?.csv"
    with pytest.raises(ValueError, match=r"^a\.csv is no URL$"):
        urls.parse("a.csv")


@pytest.mark.parametrize(
    "source",
    [
        "s3://bucket/2026/reviews.csv",
        "https://host.org:8000/a/reviews.csv",
        "hf://datasets/owner/name@main/a.csv",
        "s3://bucket/a//b.csv",
        "s3://bucket/../../b.csv",
        "s3://bucket/./100%.csv",
        "s3://bucket/a*b?[c].csv",
        "s3://bucket/new\nline\x1b[31m.csv",
        "s3://bucket/naïve/日本.csv",
        "memory:///a.csv",
    ],
)
def test_a_copy_has_a_place_inside_the_cache_from_which_its_url_can_be_told(source):
    place = urls.place_of(urls.parse(source))
    assert place.resolve().is_relative_to(urls.cache().resolve())
    assert ".." not in place.parts
    assert str(place).isprintable()
    assert place.suffix == ".csv"
    assert urls.of_copy(place) == name_of(place) == source


def test_each_url_has_its_own_place_and_no_place_shows_a_secret():
    sources = [
        *("https://host.org/a.csv", "https://host.org/a.csv?id=1", "https://host.org/a.csv?id=2"),
        *("http://host.org/a.csv", "s3://host.org/a.csv", "https://host.org/a/.csv", "https://host.org//a.csv"),
        *("s3://b/" + "x" * 300 + ".csv", "s3://b/" + "x" * 301 + ".csv", "s3://b/%2E", "s3://b/.", "s3://b/"),
    ]
    places = [urls.place_of(urls.parse(source)) for source in sources]
    assert len(set(places)) == len(places)
    assert max(len(part.encode()) for place in places for part in place.parts) < 230
    assert places[7].suffix == ".csv"
    assert not {"user", "pass", "secret"} & set(str(urls.place_of(urls.parse(SECRET))).replace("/", " ").split())
    assert urls.of_copy(urls.place_of(urls.parse(SECRET))) == "https://host.org/data/a.csv"


def test_characters_that_are_no_text_are_escaped():
    place = urls.place_of(urls.parse("s3://bucket/\udcff.csv"))
    assert place.name == "%FF.csv"


def test_a_path_elsewhere_is_no_copy(tmp_path, monkeypatch):
    assert urls.of_copy(Path("reviews.csv")) is None
    assert name_of(tmp_path / "a.csv") == str(tmp_path / "a.csv")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert urls.of_copy(tmp_path / "textclf" / "remote" / "s3" / "bucket" / "a.csv") == "s3://bucket/a.csv"
    assert urls.of_copy(tmp_path / "textclf" / "other" / "a.csv") is None
