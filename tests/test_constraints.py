"""constraints.txt: what is pinned there can be installed with every Python that setup.cfg allows."""

import configparser
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).parents[1]


def test_no_pinned_version_needs_a_newer_python() -> None:
    """A patch release of the oldest one neither: Debian 12 has 3.11.2."""
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg", encoding="utf-8")
    oldest = setup["options"]["python_requires"].removeprefix(">=")
    tried, refused = [], []
    for line in (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name = line.partition("==")[0].strip()
        try:
            needs = metadata(name)["Requires-Python"]
        except (PackageNotFoundError, ValueError, KeyError):
            continue  # of an extra that is not installed here, or a comment
        tried.append(name)
        if needs and not SpecifierSet(needs).contains(f"{oldest}.0"):
            refused.append(f"{line} needs Python {needs}")
    assert "torch" in tried
    assert refused == []
