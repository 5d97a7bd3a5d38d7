import errno
import os
from pathlib import Path

import huggingface_hub
import pytest

from textclf.errors import DataError, ResourceError
from textclf.sources import hub_files

NAMES = ["config.json", "1_Pooling/config.json"]


@pytest.fixture
def hub(monkeypatch):
    """A Hub whose cache has some files, which gives others, or raises an error."""

    class Hub:
        kept: tuple[str, ...] = ()
        error: Exception | None = None
        asked: tuple[str, ...] = ()

    def kept(repository, name, *, revision):
        assert (repository, revision) == ("someone/small", "c0ffee")
        return f"/cache/{name}" if name in Hub.kept else None

    def fetch(repository, name, *, revision):
        Hub.asked += (name,)
        return f"/new/{name}"

    class Api:
        def model_info(self, repository, *, revision, timeout):
            Hub.asked += ("info",)
            if Hub.error:
                raise Hub.error

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", kept)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return Hub


def test_files_in_the_cache_need_no_network(hub):
    hub.kept = tuple(NAMES)
    found = hub_files.download("someone/small", NAMES, commit="c0ffee")
    assert found == {name: Path("/cache", name) for name in NAMES}
    assert hub.asked == ()


def test_files_that_are_missing_are_fetched_after_one_question(hub):
    hub.kept = (NAMES[0],)
    found = hub_files.download("someone/small", NAMES, commit="c0ffee")
    assert found == {name: Path("/new", name) for name in NAMES}
    assert hub.asked == ("info", *NAMES)


def test_no_network_is_one_line(hub):
    hub.error = ConnectionError("outer")
    hub.error.__cause__ = OSError("Name or service not known\nand more")
    with pytest.raises(DataError, match=r"^Name or service not known$"):
        hub_files.download("someone/small", NAMES, commit="c0ffee")


def test_a_full_disk_is_no_fault_of_the_network(hub):
    hub.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(ResourceError, match="no space left to write the cache of someone/small"):
        hub_files.download("someone/small", NAMES, commit="c0ffee")


def test_the_hub_itself_is_not_reached_from_here():
    """With the real library: a test has no network."""
    with pytest.raises(DataError) as caught:
        hub_files.download("someone/small", NAMES, commit="0" * 40)
    assert "\n" not in str(caught.value)
