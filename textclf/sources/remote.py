"""Files of object stores and web servers, copied through fsspec to the user's cache folder and read there.

All that reads a file does so more than once: for its format, its columns, its digest, and its rows. A copy makes that
possible for every store, takes the room of the file once, and is whole or absent. It is used again while the store says
that the file is the same, checked by its checksum, and removed when it was not used for KEPT_DAYS.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from textclf.errors import DataError, TextclfError, UsageError
from textclf.sources import urls
from textclf.sources.urls import HTTP, Url
from textclf.system import checksums, failures, files, locks, requirements, workers
from textclf.system.wording import counted

KEPT_DAYS: Final = 7
BLOCK: Final = 1 << 22
"""Bytes that are asked for at once."""

VERSION: Final = (
    *("ETag", "etag", "e_tag", "md5Hash", "content_md5", "blob_id", "generation", "VersionId"),
    *("LastModified", "Last-Modified", "last_modified", "mtime", "modified", "updated", "created"),
)
"""What stores say about a file that is another when its content is."""

PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "s3": ("fsspec", "s3fs"),
    "s3a": ("fsspec", "s3fs"),
    "gs": ("fsspec", "gcsfs"),
    "gcs": ("fsspec", "gcsfs"),
    "http": ("fsspec", "aiohttp"),
    "https": ("fsspec", "aiohttp"),
    "hf": ("fsspec", "huggingface_hub"),
}
"""What fsspec needs for a scheme; for others it says so itself."""

_AWS: Final = (
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a public bucket, FSSPEC_S3='{\"anon\": true}'"
)
_GOOGLE: Final = 'log in: gcloud auth application-default login; for a public bucket, FSSPEC_GS=\'{"token": "anon"}\''
LOG_IN: Final[Mapping[str, str]] = {
    "s3": _AWS,
    "s3a": _AWS,
    "gs": _GOOGLE,
    "gcs": _GOOGLE,
    "hf": "log in: hf auth login",
}
"""What to do where access is denied."""


class Patience(NamedTuple):
    """How long a server is waited for."""

    seconds: float = 30.0
    """Until it answers, or sends more."""
    attempts: int = 4
    """Times that a transfer is begun or continued without a byte in between."""
    pause: float = 1.0
    """Seconds before the second attempt; before each further one twice as long."""


PATIENCE: Final = Patience()
Result = TypeVar("Result")


def fetch(source: str) -> list[Path]:
    """Copies of the file that a URL names, or of the files that a pattern such as s3://bucket/*.csv stands for.

    Where that is safe, they are made by a forked copy of this process, with which the threads of the network libraries
    end: worker processes can still be forked from this one. Raises UsageError if there is no such file or no access to
    it, or if a package is not installed; DataError if it cannot be reached, is cut off, or is a web page;
    ResourceError if there is no room for it.
    """
    if not workers.can_fork():
        return copies(source)
    with workers.pool(1, imports=__name__, advice="run it again") as pool:
        try:
            return pool.submit(copies, source).result()
        except BaseException:  # such as Ctrl-C: nobody waits for the copy any more
            pool.kill()
            raise


def copies(source: str, patience: Patience = PATIENCE) -> list[Path]:
    """`fetch` in this process."""
    asked = urls.parse(source)
    _refuse(asked)
    if not urls.cache().is_absolute():
        raise UsageError(f"there is no home folder for a copy of {asked}: name another one in XDG_CACHE_HOME")
    _remove_old()
    store = _Store.open(source, asked, patience)
    return [_Copy.of(store, path).get() for path in store.paths()]


def _refuse(url: Url) -> None:
    """Raise UsageError for a URL that names no file, or of a store whose package is not installed."""
    if "::" in url.scheme + url.authority + url.path:
        raise UsageError(f"{url} is a chain of URLs: name one file")
    if not url.name:
        raise UsageError(f"{url} names no file: add its name, or a pattern such as *.csv where the store has folders")
    if url.scheme in HTTP and not {"*", "["}.isdisjoint(url.path):
        raise UsageError(f"{url}: a web server does not list its files: name each of them")
    if needed := PACKAGES.get(url.scheme):
        requirements.need(f"{url.scheme}://", needed)


class _Store(NamedTuple):
    """A file system of fsspec, and what was asked of it."""

    system: Any
    path: str
    url: Url
    patience: Patience

    @classmethod
    def open(cls, source: str, url: Url, patience: Patience) -> "_Store":
        """Raises UsageError if fsspec does not know the scheme or lacks a package for it, and errors of `explained`."""
        import fsspec.core

        seconds, options = patience.seconds, {}
        if url.scheme in HTTP:
            from aiohttp import ClientTimeout

            waiting = ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
            options = {"client_kwargs": {"timeout": waiting, "trust_env": True}}
        elif url.scheme in ("s3", "s3a"):
            options = {"config_kwargs": {"connect_timeout": seconds, "read_timeout": seconds}}
        try:
            system, path = fsspec.core.url_to_fs(source, skip_instance_cache=True, use_listings_cache=False, **options)
        except ImportError as error:
            why = str(error).partition("\n")[0]
            raise UsageError(f"{url}: fsspec lacks a package for {url.scheme}:// ({why})") from error
        except ValueError as error:
            known = ", ".join(f"{scheme}://" for scheme in ("s3", "gs", "hf", "https"))
            raise UsageError(f"{url}: there is no store {url.scheme}://; there are {known} and others") from error
        except Exception as error:  # of stores that connect at once, such as ftp://
            raise explained(error, url) from None
        return cls(system, path, url, patience)

    @property
    def is_pattern(self) -> bool:
        return self.url.scheme not in HTTP and not {"*", "?", "["}.isdisjoint(self.path)

    def paths(self) -> list[str]:
        """What the store calls the file, or those that a pattern stands for; raises UsageError if there is none."""
        if not self.is_pattern:
            return [self.path]
        found = self.trying(lambda: self.system.glob(self.path, detail=True), self.url)
        matching = sorted(path for path, about in found.items() if about["type"] == "file")
        if not matching:
            raise UsageError(f"no file is named like {self.url}")
        return matching

    def about(self, path: str) -> Mapping[str, Any]:
        """What the store says about a file; raises UsageError if it is a folder, DataError if it is a web page."""
        url = self.url_of(path)
        found: Mapping[str, Any] = self.trying(lambda: self.system.info(path), url)
        if found.get("type") == "directory":
            raise UsageError(f"{url} is a folder: name its files, as in '{str(url).rstrip('/')}/*.csv'")
        if found.get("mimetype") == "text/html":
            raise DataError(f"{url} is a web page, not a file of documents: name the address of the file itself")
        return found

    def url_of(self, path: str) -> Url:
        """The URL of a file that a pattern stands for."""
        if not self.is_pattern:
            return self.url
        return self.url._replace(path=f"/{path.lstrip('/').removeprefix(f'{self.url.authority}/')}")

    def reader(self, path: str, start: int, version: Mapping[str, str]) -> tuple[Any, int]:
        """A file of the store, open at ``start`` or where the server begins, and that place."""
        if self.url.scheme not in HTTP:
            file = self.system.open(path, "rb", block_size=BLOCK, cache_type="readahead")
            file.seek(start)
            return file, start
        headers = {"Accept-Encoding": "identity"}
        if start:
            tag = version.get("ETag") or version.get("Last-Modified")
            headers |= {"Range": f"bytes={start}-", **({"If-Range": tag} if tag else {})}
        # a stream; the size is asked for elsewhere
        file = self.system.open(path, block_size=0, size=1, headers=headers)
        return file, start if file.r.status == 206 else 0

    def trying(self, ask: Callable[[], Result], url: Url) -> Result:
        """What the store answers, asked again where it may answer later; raises an error of ours."""
        for attempt in range(self.patience.attempts):
            try:
                return ask()
            except Exception as error:
                if attempt + 1 == self.patience.attempts or _status(error) not in _LATER:
                    raise explained(error, url) from None  # which quotes the whole URL
                time.sleep(self.patience.pause * 2**attempt)
        raise AssertionError("there is an attempt")


class _Copy:
    """The copy of one file: its place, and next to it what the store said and a checksum."""

    def __init__(self, store: _Store, path: str, size: int | None, version: Mapping[str, str]) -> None:
        self.store, self.path, self.size, self.version = store, path, size, version
        self.url = store.url_of(path)
        self.place = urls.place_of(self.url)
        self.record = self.place.with_name(f".{self.place.name}.json")

    @classmethod
    def of(cls, store: _Store, path: str) -> "_Copy":
        """Of a file as it is now; raises what `_Store.about` raises."""
        about = store.about(path)
        return cls(store, path, about.get("size"), {name: str(about[name]) for name in VERSION if about.get(name)})

    def get(self) -> Path:
        """The path of the copy, which is made unless it is there."""
        files.make_folder(self.place.parent)
        with self._alone():
            if not self._is_there():
                self._make()
        with failures.naming(self.record):
            os.utime(self.record)  # for `_remove_old`
        return self.place

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait while another process copies the same file."""
        lock = self.place.with_name(f".{self.place.name}.lock")
        with failures.naming(lock):
            lock.touch()
        while True:
            with locks.holding(lock) as is_held:
                if is_held is not False:
                    yield
                    return
            time.sleep(0.1)

    def _is_there(self) -> bool:
        if not self.version:
            return False
        try:
            known = files.read_object(self.record)
            return known == self._known(known["crc32"]) and checksums.crc32(self.place) == known["crc32"]
        except (OSError, ValueError, LookupError):
            return False

    def _known(self, crc32: int) -> dict[str, Any]:
        return {"url": str(self.url), "version": self.version, "size": self.size, "crc32": crc32}

    def _make(self) -> None:
        advice = "free some, or name another folder for copies in XDG_CACHE_HOME"
        files.refuse_full_disk(self.place.parent, needed=self.size or 0, count=4, advice=advice)
        part = self.place.with_name(f".{self.place.name}.{checksums.digest([self.version, self.size])[:16]}.part")
        goes_on = self.version and self.size is not None  # else it may be another file by now
        for other in self.place.parent.glob(f".{_literally(self.place.name)}.*.part"):
            if other != part or not goes_on:
                files.remove(other)
        with failures.naming(self.place), part.open("ab") as file, self._progress(file.tell()) as progress:
            self._transfer(file, progress)
            file.flush()
            os.fsync(file.fileno())
        self._refuse_change(part)
        files.write_json(self.record, self._known(checksums.crc32(part)))
        with failures.naming(self.place):
            part.replace(self.place)

    def _transfer(self, file: Any, progress: Any) -> None:
        """Append what is missing, and go on after a cut; raises DataError after ``attempts`` without a byte."""
        attempt = 0
        while self.size is None or file.tell() != self.size:
            before = file.tell()
            try:
                self._receive(file, progress)
                return
            except TextclfError:
                raise
            except Exception as error:
                attempt = attempt + 1 if file.tell() <= before else 1
                if attempt >= self.store.patience.attempts or _is_final(error):
                    raise self._cut(error, file.tell()) from None
                time.sleep(self.store.patience.pause * 2 ** (attempt - 1))

    def _receive(self, file: Any, progress: Any) -> None:
        """Append what the store sends; raises TextclfError if it cannot be written, all else if it cannot be read."""
        stream, start = self.store.reader(self.path, file.tell(), self.version)
        with closing(stream):
            if start != file.tell():
                progress.update(start - file.tell())
                file.truncate(start)
                file.seek(start)
            while block := stream.read(BLOCK):
                with failures.naming(self.place):
                    file.write(block)
                progress.update(len(block))
        if self.size is not None and file.tell() < self.size:
            raise ConnectionError(f"{counted(self.size - file.tell(), 'byte is', 'bytes are')} missing")

    def _cut(self, error: Exception, received: int) -> TextclfError:
        if not received:
            return explained(error, self.url)
        of_all = f" of {self.size:,}" if self.size else ""
        return DataError(
            f"{self.url}: the connection was cut after {received:,}{of_all} bytes, and "
            f"{counted(self.store.patience.attempts, 'attempt')} to go on failed ({_reason(error)}); run it again: it "
            "goes on from there"
        )

    def _refuse_change(self, part: Path) -> None:
        """Raise DataError if the file is another one than before it was copied, or has another size."""
        now = self.of(self.store, self.path)
        if (now.size, now.version) != (self.size, self.version) or self.size not in (None, part.stat().st_size):
            files.remove(part)
            raise DataError(f"{self.url} changed while it was copied: run it again when it is complete")

    @contextmanager
    def _progress(self, start: int) -> Iterator[Any]:
        """A bar of the bytes, on a terminal, unless the command is quiet."""
        is_hidden = not sys.stderr.isatty() or "HF_HUB_DISABLE_PROGRESS_BARS" in os.environ
        if is_hidden or not requirements.is_installed("tqdm"):
            yield _Hidden()
            return
        from tqdm import tqdm

        shown = {"desc": self.place.name, "unit": "B", "unit_scale": True, "delay": 1}
        with tqdm(total=self.size, initial=start, **shown) as bar:  # type: ignore[call-overload]
            yield bar


class _Hidden:
    """Takes the place of a bar that is not shown."""

    def update(self, size: int) -> None:
        """Nothing."""


# What stores raise

_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses of servers that may answer another time."""
_DENIED: Final = frozenset({401, 403, 407})
_ABSENT: Final = frozenset({404, 410})
_CREDENTIALS: Final = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
     "DefaultCredentialsError", "RefreshError", "GatedRepoError", "NoAuthTokenError", "ProfileNotFound"}
)  # fmt: skip
"""Names of exceptions of libraries that are not imported here."""


def explained(error: Exception, url: Url) -> TextclfError:
    """What a store refused, as an error of ours, without anything secret."""
    if isinstance(error, TextclfError):
        return error
    status, names = _status(error), {type(each).__name__ for each in _chain(error)}
    host, http = url.authority or url.scheme, f" (HTTP {status})" if status else ""
    if status in _DENIED or names & _CREDENTIALS or (not status and isinstance(error, PermissionError)):
        advice = LOG_IN.get(url.scheme, "name an address that needs no login, or download it and name the file")
        return UsageError(f"access to {url} is denied{http}; {advice}")
    # fsspec's web client says that of a host that cannot be reached, too
    if status in _ABSENT or (not status and isinstance(error, FileNotFoundError) and url.scheme not in HTTP):
        return UsageError(f"no such file: {url}{http}")
    if status:
        return DataError(f"{host} {'fails' if status in _LATER else 'refuses'} to send {url}{http}; run it again later")
    lack = failures.refused(error, str(url))
    return lack or DataError(f"cannot read {url} ({_reason(error)}); check the network and the name, then run it again")


def _is_final(error: Exception) -> bool:
    """Whether it is of no use to ask again."""
    status = _status(error)
    return isinstance(error, FileNotFoundError | PermissionError) or (status is not None and status not in _LATER)


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error of one of the libraries is about."""
    for each in _chain(error):
        response = getattr(each, "response", None)
        if isinstance(response, Mapping):  # of botocore
            found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        else:  # of huggingface_hub, aiohttp, gcsfs
            found = getattr(response, "status_code", None) or getattr(each, "status", None) or vars(each).get("code")
        with suppress(TypeError, ValueError):
            if 400 <= int(found) < 600:
                return int(found)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it came from."""
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in seen:
        seen.append(each)
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _reason(error: Exception) -> str:
    """Why a connection failed, without the URL that libraries quote: it may hold a key."""
    *_, first = _chain(error)
    system = [each.strerror for each in _chain(error) if isinstance(each, OSError) and each.strerror]
    if system:
        return system[-1]
    return "no answer in time" if isinstance(first, TimeoutError) else type(first).__name__


# Copies that are not used any more


def _remove_old(*, days: float = KEPT_DAYS) -> None:
    """Remove copies, and parts of copies, that were not used for some days; those in use stay."""
    oldest = time.time() - days * 86_400
    for record in urls.cache().rglob(".*.lock"):
        name = record.name.removeprefix(".").removesuffix(".lock")
        kept = [*record.parent.glob(f".{_literally(name)}.*.part"), record.with_name(f".{name}.json")]
        with suppress(OSError):
            used = max((path.stat().st_mtime for path in kept if path.exists()), default=record.stat().st_mtime)
            if used < oldest and not locks.is_held(record):
                for path in (record.with_name(name), *kept, record):
                    path.unlink(missing_ok=True)


def _literally(name: str) -> str:
    """A name as a pattern that only this name is like."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
