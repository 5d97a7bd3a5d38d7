import hashlib
import subprocess
from pathlib import Path

import pytest

from textclf.errors import DataError, ResourceError
from textclf.sources import index
from textclf.sources.index import Wheel

WHEEL = Wheel("news", "1.2", hashlib.sha256(b"a wheel").hexdigest())


@pytest.fixture
def pip(monkeypatch):
    """What pip does in place of a download: it writes these bytes, unless they are None, and says this."""

    def answer(content, stderr=""):
        def run(name, *given, timeout):
            assert name == "pip"
            assert given[-1] == "news==1.2"
            if content is not None:
                (Path(given[given.index("--dest") + 1]) / "news-1.2-py3-none-any.whl").write_bytes(content)
            return subprocess.CompletedProcess([name, *given], content is None, "", stderr)

        monkeypatch.setattr(index.subprocesses, "run_module", run)

    return answer


def test_a_wheel_is_where_it_was_downloaded_to(pip, tmp_path):
    pip(b"a wheel")
    assert index.download(WHEEL, tmp_path).read_bytes() == b"a wheel"


def test_another_file_of_the_same_name_is_refused(pip, tmp_path):
    pip(b"another wheel")
    with pytest.raises(DataError, match="it has another file of that name, which is not read"):
        index.download(WHEEL, tmp_path)


@pytest.mark.parametrize(
    ("stderr", "why"),
    [
        ("WARNING: x\nERROR: No matching distribution found\n", "No matching distribution found"),
        ("", "pip says nothing"),
    ],
    ids=["an error", "silence"],
)
def test_what_pip_said_is_in_one_line(stderr, why, pip, tmp_path):
    pip(None, stderr)
    with pytest.raises(DataError) as caught:
        index.download(WHEEL, tmp_path)
    assert str(caught.value) == why


def test_a_silent_index_is_given_up(monkeypatch, tmp_path):
    def hang(*_, timeout):
        raise TimeoutError(f"no answer in {timeout} s")

    monkeypatch.setattr(index.subprocesses, "run_module", hang)
    with pytest.raises(DataError, match=r"^no answer in 600 s$"):
        index.download(WHEEL, tmp_path)


def test_a_full_disk_is_no_fault_of_the_network(pip, tmp_path):
    pip(None, "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n")
    with pytest.raises(ResourceError, match=f"no space left to write {tmp_path}"):
        index.download(WHEEL, tmp_path)
