import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import fsspec
import pytest

from tests.sources.web import CONTENT, Bucket, serving
from textclf import sources
from textclf.dataset.manifest import read_manifest
from textclf.errors import DataError, ResourceError, UsageError
from textclf.sources import SourceOptions, remote, urls
from textclf.sources.opening import expanded
from textclf.sources.remote import Patience
from textclf.system import files, requirements

QUICK = Patience(seconds=1.0, attempts=3, pause=0.01)
SECRET = "X-Amz-Signature=secret"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "textclf" / "remote"


@pytest.fixture(scope="module")
def running():
    with serving() as found:
        yield found


@pytest.fixture
def host(running):
    address, server = running
    server.requests.clear()
    return address


@pytest.fixture
def requests(running):
    return running[1].requests


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def copies(source):
    return remote.copies(source, QUICK)


def in_cache(cache):
    return {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"}


def refusal(source, kind):
    with pytest.raises(kind) as caught:
        copies(source)
    line = str(caught.value)
    assert "\n" not in line
    assert not {"secret", "password"} & set(re.findall(r"\w+", line))
    return line


# What is copied


def test_a_file_of_a_web_server_is_copied_whole_and_once(host, cache, requests):
    for _ in range(2):
        (path,) = copies(f"http://user:password@{host}/data/reviews.csv?{SECRET}")
        assert path.read_bytes() == CONTENT
        assert path.name == "reviews.csv"
        assert sum(command == "GET" for command, _, _ in requests) == 1
    assert {Path(name).name for name in in_cache(cache)} == {"reviews.csv", ".reviews.csv.json"}
    written = "".join(path.read_text() + str(path) for path in cache.rglob("*.*") if path.is_file())
    assert "secret" not in written
    assert "password" not in written


@pytest.mark.parametrize("name", ["sizeless", "untagged", "moved", "busy"])
def test_it_arrives_without_a_size_without_a_version_after_a_redirect_and_from_a_busy_server(name, host):
    (path,) = copies(f"http://{host}/{name}.csv")
    assert path.read_bytes() == CONTENT


def test_a_file_without_a_version_is_copied_each_time(host, requests):
    for _ in range(2):
        copies(f"http://{host}/untagged.csv")
    assert sum(command == "GET" for command, _, _ in requests) == 2


def test_a_copy_that_is_damaged_is_replaced(host):
    (path,) = copies(f"http://{host}/reviews.csv")
    path.write_bytes(CONTENT[:-1] + b"?")
    assert copies(f"http://{host}/reviews.csv") == [path]
    assert path.read_bytes() == CONTENT


def test_a_transfer_that_is_cut_goes_on_where_it_was(host, requests):
    (path,) = copies(f"http://{host}/cut.csv")
    assert path.read_bytes() == CONTENT
    places = [int(asked[6:-1]) for command, _, asked in requests if command == "GET" and asked]
    assert len(places) == len(CONTENT) // 50_000
    assert places == sorted(places)
    assert places[0] > 0


def test_a_server_that_knows_no_ranges_begins_again(host):
    (path,) = copies(f"http://{host}/norange.csv")
    assert path.read_bytes() == CONTENT


def test_a_later_run_goes_on_with_what_has_arrived_unless_the_file_has_changed(host, cache, requests):
    line = refusal(f"http://{host}/stuck.csv?{SECRET}", DataError)
    assert line.startswith(
        f"http://{host}/stuck.csv: the connection was cut after 50,000 of {len(CONTENT):,} bytes, and"
    )
    assert line.endswith("run it again: it goes on from there")
    (part,) = cache.rglob("*.part")
    kept = part.read_bytes()
    assert kept == CONTENT[:50_000]

    whole = urls.place_of(urls.parse(f"http://{host}/reviews.csv"))
    for name, goes_on in ((part.name.replace("stuck", "reviews"), True), (".reviews.csv.0123456789abcdef.part", False)):
        files.make_folder(whole.parent)
        (whole.parent / name).write_bytes(kept)
        requests.clear()
        assert copies(f"http://{host}/reviews.csv") == [whole]
        assert whole.read_bytes() == CONTENT
        assert list(whole.parent.glob("*.part")) == []
        assert ("GET", "/reviews.csv", "bytes=50000-" if goes_on else None) in requests
        files.remove(whole)


def test_files_of_a_store_are_copied_by_pattern(memory, cache):
    for name in ("b.csv", "a.csv", "c.txt", "deep/d.csv"):
        memory.pipe(f"/reviews/{name}", name.encode())
    found = copies("memory://reviews/*.csv")
    assert [path.read_text() for path in found] == ["a.csv", "b.csv"]
    assert found == [cache / "memory" / "reviews" / name for name in ("a.csv", "b.csv")]
    assert [path.read_text() for path in copies("memory://reviews/**/*.csv")] == ["a.csv", "b.csv", "deep/d.csv"]
    assert len(expanded(["memory://reviews/a.csv", "memory://reviews/b.csv"])) == 2
    with pytest.raises(UsageError, match=r"^memory://reviews/a\.csv is named twice"):
        expanded(["memory://reviews/*.csv", "memory://reviews/a.csv"])


def test_a_corpus_names_its_url_and_has_the_revision_of_a_local_file(memory, tmp_path):
    rows = "text,label\nrain,weather\nsoup,food\nsnow,weather\nbread,food\n"
    memory.pipe("/bucket/reviews.csv", rows.encode())
    (tmp_path / "reviews.csv").write_text(rows)
    here, there = (
        sources.load(source, options=SourceOptions())
        for source in (str(tmp_path / "reviews.csv"), "memory://bucket/reviews.csv")
    )
    assert there.source == "memory://bucket/reviews.csv"
    assert (there.name, there.revision, there.columns) == (here.name, here.revision, here.columns)
    assert list(there.splits["train"]) == list(here.splits["train"])


def test_messages_about_rows_name_the_url(memory):
    memory.pipe("/bucket/reviews.csv", b"text,label\nrain,weather\n,\n")
    corpus = sources.load("memory://bucket/reviews.csv", options=SourceOptions())
    with pytest.raises(DataError, match=r"^memory://bucket/reviews\.csv:3: "):
        list(corpus.splits["train"])


def test_the_revision_of_files_in_several_folders_does_not_depend_on_where_the_cache_is(memory, tmp_path, monkeypatch):
    for number in (1, 2):
        memory.pipe(f"/bucket/{number}/part-{number}.csv", b"text,label\nrain,weather\nsoup,food\n")
    found = set()
    for name in ("one", "two"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        found.add(sources.load("memory://bucket/*/*.csv", options=SourceOptions()).revision)
    assert len(found) == 1


def test_two_at_once_copy_a_file_once(host, requests):
    threads = [threading.Thread(target=copies, args=(f"http://{host}/reviews.csv",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(command == "GET" for command, _, _ in requests) == 1


def test_copies_that_were_not_used_for_a_week_are_removed(memory, cache):
    for name in ("old", "new"):
        memory.pipe(f"/bucket/{name}.csv", b"text,label\n")
        copies(f"memory://bucket/{name}.csv")
    before = time.time() - 8 * 86_400
    (old,) = cache.rglob(".old.csv.json")
    os.utime(old, (before, before))
    copies("memory://bucket/new.csv")
    assert in_cache(cache) == {"memory/bucket/new.csv", "memory/bucket/.new.csv.json"}


# What is refused, in one line


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("missing.csv", UsageError, "no such file: {url} (HTTP 404)"),
        (
            "forbidden.csv",
            UsageError,
            "access to {url} is denied (HTTP 403); name an address that needs no login, or download it and name "
            "the file",
        ),
        ("broken.csv", DataError, "{host} fails to send {url} (HTTP 500); run it again later"),
        ("teapot.csv", DataError, "{host} refuses to send {url} (HTTP 418); run it again later"),
        (
            "slow.csv",
            DataError,
            "cannot read {url} (no answer in time); check the network and the name, then run it again",
        ),
        ("page.csv", DataError, "{url} is a web page, not a file of documents: name the address of the file itself"),
        ("changing.csv", DataError, "{url} changed while it was copied: run it again when it is complete"),
        ("", UsageError, "{url} names no file: add its name, or a pattern such as *.csv where the store has folders"),
        (
            "data/",
            UsageError,
            "{url} names no file: add its name, or a pattern such as *.csv where the store has folders",
        ),
        ("*.csv", UsageError, "{url}: a web server does not list its files: name each of them"),
    ],
)
def test_what_a_web_server_does_not_give_is_said_in_one_line(name, kind, expected, host, cache):
    url = f"http://{host}/{name}"
    line = refusal(f"http://user:password@{host}/{name}?{SECRET}", kind)
    assert line == expected.format(url=url, host=host)
    assert in_cache(cache) == set()


@pytest.mark.parametrize(("scheme", "query"), [("http", f"?{SECRET}"), ("ftp", "")])  # ftp connects before it is asked
def test_a_server_that_is_not_there_is_named(scheme, query):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{taken.getsockname()[1]}/a.csv"
        line = refusal(url + query, DataError)
    assert line.startswith(f"cannot read {url} (")
    assert line.endswith("); check the network and the name, then run it again")


@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        ("memory://bucket/nothing.csv", UsageError, "no such file: memory://bucket/nothing.csv"),
        ("memory://bucket/*.json", UsageError, "no file is named like memory://bucket/*.json"),
        (
            "memory://bucket",
            UsageError,
            "memory://bucket names no file: add its name, or a pattern such as *.csv where",
        ),
        (
            "memory://bucket/inner",
            UsageError,
            "memory://bucket/inner is a folder: name its files, as in 'memory://bucket/",
        ),
        (
            "nowhere://bucket/a.csv",
            UsageError,
            "nowhere://bucket/a.csv: there is no store nowhere://; there are s3://, ",
        ),
        ("zip://a.csv::memory://b.zip", UsageError, "zip://a.csv::memory://b.zip is a chain of URLs: name one file"),
    ],
)
def test_what_a_store_does_not_have_is_said_in_one_line(source, kind, expected, memory):
    memory.pipe("/bucket/inner/a.csv", b"text,label\n")
    assert refusal(source, kind).startswith(expected)


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(requirements, "is_installed", lambda package: package != "s3fs")
    assert refusal("s3://bucket/a.csv", UsageError) == ("s3:// needs s3fs, which is not installed: pip install s3fs")


def test_a_disk_without_room_is_said_before_anything_is_copied(host, requests, monkeypatch):
    full = os.statvfs_result((4096, 4096, 100, 10, 10, 0, 1000, 1000, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    line = refusal(f"http://{host}/reviews.csv", ResourceError)
    assert f"about {len(CONTENT):,} bytes are needed and 40,960 free" in line
    assert line.endswith("name another folder for copies in XDG_CACHE_HOME")
    assert not any(command == "GET" for command, _, _ in requests)


def test_without_a_home_the_cache_must_be_named(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert refusal("memory://bucket/a.csv", UsageError) == (
        "there is no home folder for a copy of memory://bucket/a.csv: name another one in XDG_CACHE_HOME"
    )


# An object store


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with serving(Bucket) as (address, server):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{address}")
        server.files = {"reviews/a b.csv": CONTENT, "reviews/c.csv": b"text,label\n", "other.txt": b""}
        yield server


@pytest.mark.slow
def test_files_of_an_object_store_are_copied_by_name_and_by_pattern(bucket, cache):
    (one,) = copies("s3://bucket/reviews/a b.csv")
    assert one.read_bytes() == CONTENT
    assert urls.of_copy(one) == "s3://bucket/reviews/a b.csv"
    assert copies("s3://bucket/reviews/*.csv") == [one, one.with_name("c.csv")]
    gets = [path for command, path, _ in bucket.requests if command == "GET" and path.startswith("/bucket/reviews/")]
    assert len(gets) == 2  # each once
    bucket.files["reviews/a b.csv"] = b"text,label\nrain,weather\n"
    assert copies("s3://bucket/reviews/a b.csv")[0].read_bytes() == b"text,label\nrain,weather\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        ("s3://bucket/nothing.csv", UsageError, "no such file: s3://bucket/nothing.csv"),
        ("s3://nowhere/a.csv", UsageError, "no such file: s3://nowhere/a.csv (HTTP 404)"),
        ("s3://nowhere/*.csv", UsageError, "no file is named like s3://nowhere/*.csv"),
        ("s3://bucket/reviews", UsageError, "s3://bucket/reviews is a folder: name its files, as in 's3://bucket/rev"),
        (
            "s3://private/a.csv",
            UsageError,
            "access to s3://private/a.csv is denied (HTTP 403); set AWS_PROFILE, or AWS_",
        ),
        (
            "s3://private/*.csv",
            UsageError,
            "access to s3://private/*.csv is denied (HTTP 403); set AWS_PROFILE, or AWS_",
        ),
    ],
)
def test_what_an_object_store_does_not_give_is_said_in_one_line(source, kind, expected, bucket):
    assert refusal(source, kind).startswith(expected)


@pytest.mark.slow
def test_an_object_store_without_credentials_or_without_a_server_is_said_in_one_line(bucket, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert refusal("s3://bucket/other.csv", UsageError).startswith(
        "access to s3://bucket/other.csv is denied; set AWS_"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert refusal("s3://bucket/other.csv", DataError).startswith("cannot read s3://bucket/other.csv (")


# Whole commands


def run(*arguments, **environment):
    command = [sys.executable, "-m", "textclf", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
def test_a_corpus_is_preprocessed_from_a_web_server_and_its_manifest_tells_no_secret(host, tmp_path):
    url = f"http://user:password@{host}/reviews.csv?{SECRET}"
    done = run("preprocess", url, "--data-dir", str(tmp_path), "--num-workers", "2", "--verbose")
    assert done.returncode == 0, done.stderr
    made = read_manifest(tmp_path / "reviews")
    assert (made.source, made.settings["source"]) == (f"http://{host}/reviews.csv", [f"http://{host}/reviews.csv"])
    for path in (tmp_path / "reviews").glob("*.json"):
        assert "secret" not in path.read_text()
        assert "password" not in path.read_text()
    assert "secret" not in done.stderr + done.stdout
    assert "password" not in done.stderr + done.stdout
    again = run("preprocess", url, "--data-dir", str(tmp_path))
    assert (again.returncode, again.stdout) == (0, done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_rows_of_a_web_server_are_predicted(run_dir, host):
    done = run("predict", "--run", str(run_dir), "--input", f"http://{host}/reviews.csv?{SECRET}", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == CONTENT.count(b"\n") - 1
    assert "label" in json.loads(done.stdout.splitlines()[0])
    for name, code in (("forbidden", 2), ("broken", 3), ("stuck", 3)):
        url = f"http://user:password@{host}/{name}.csv?{SECRET}"
        denied = run("predict", "--debug", "--run", str(run_dir), "--input", url)
        assert denied.returncode == code, denied.stderr
        assert "Traceback" in denied.stderr
        assert not {"secret", "password"} & set(re.findall(r"\w+", denied.stderr))
    gone = run("predict", "--run", str(run_dir), "--input", f"http://{host}/missing.csv?{SECRET}")
    assert gone.returncode == 2, gone.stderr
    assert gone.stderr == f"textclf: no such file: http://{host}/missing.csv (HTTP 404)\n"
