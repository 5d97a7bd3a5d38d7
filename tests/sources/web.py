"""A web server on this machine, whose files do what those of others do: they are cut off, change, or are not there."""

import threading
import time
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote

CONTENT = b"text,label\n" + b"".join(
    b"it rains in town %d,weather\nsoup and bread %d,food\n" % (n, n) for n in range(4000)
)


class Handler(BaseHTTPRequestHandler):
    """Each path has its own behaviour; the server counts requests and keeps their headers."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):
        name = self.path.partition("?")[0].rpartition("/")[2].partition(".")[0]
        self.server.requests.append((self.command, self.path, self.headers.get("Range")))
        getattr(self, f"_{name}", self._file)(with_body)

    def _file(self, with_body, *, tag='"1"', stop=None, ranges=True, kind="text/csv"):
        """A file, of which ``stop`` bytes are sent in one answer."""
        start = 0
        asked = self.headers.get("Range") if ranges else None
        if asked and self.headers.get("If-Range") in (None, tag):
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.send_header("Content-Type", kind)
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        if with_body:
            self.wfile.write(CONTENT[start:] if stop is None else CONTENT[start : start + stop])
            if stop is not None and start + stop < len(CONTENT):
                self.wfile.flush()
                time.sleep(0.05)  # what arrives together with the end is lost
                self.close_connection = True

    def _cut(self, with_body):
        self._file(with_body, stop=50_000)

    def _stuck(self, with_body):
        self._file(with_body, stop=None if not with_body else 0 if self.headers.get("Range") else 50_000)

    def _norange(self, with_body):
        seen = sum(path == self.path and command == "GET" for command, path, _ in self.server.requests)
        self._file(with_body, ranges=False, stop=50_000 if seen < 2 else None)

    def _untagged(self, with_body):
        self._file(with_body, tag=None)

    def _page(self, with_body):
        self._file(with_body, kind="text/html; charset=utf-8")

    def _changing(self, with_body):
        self._file(with_body, tag=f'"{len(self.server.requests)}"')

    def _sizeless(self, with_body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("ETag", '"1"')
        self.end_headers()
        if with_body:
            for start in range(0, len(CONTENT), 10_000):
                block = CONTENT[start : start + 10_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            self.wfile.write(b"0\r\n\r\n")

    def _slow(self, _with_body):
        time.sleep(3)
        self.status(500)

    def _moved(self, _with_body):
        self.send_response(302)
        self.send_header("Location", "/there/reviews.csv?X-Amz-Signature=secret")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _busy(self, with_body):
        if sum(path == self.path for _, path, _ in self.server.requests) < 4:
            self.status(503)
        else:
            self._file(with_body)

    def _forbidden(self, _with_body):
        self.status(403)

    def _missing(self, _with_body):
        self.status(404)

    def _broken(self, _with_body):
        self.status(500)

    def _teapot(self, _with_body):
        self.status(418)

    def status(self, number):
        self.send_response(number)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Bucket(Handler):
    """The part of S3 that reading needs: ``server.files`` are the objects of the bucket named bucket."""

    def answer(self, *, with_body):
        path, _, query = self.path.partition("?")
        self.server.requests.append((self.command, path, self.headers.get("Range")))
        bucket, _, key = unquote(path).removeprefix("/").partition("/")
        if bucket == "private":
            self._body(403, b"<Error><Code>AccessDenied</Code></Error>", with_body)
        elif bucket != "bucket":
            self._body(404, b"<Error><Code>NoSuchBucket</Code></Error>", with_body)
        elif not key:
            self._body(200, self._listing(parse_qs(query)), with_body)
        elif key in self.server.files:
            self._object(self.server.files[key], with_body)
        else:
            self._body(404, b"<Error><Code>NoSuchKey</Code></Error>", with_body)

    def _listing(self, asked):
        prefix, delimiter = asked.get("prefix", [""])[0], asked.get("delimiter", [""])[0]
        keys = sorted(key for key in self.server.files if key.startswith(prefix))
        below = {prefix + key[len(prefix) :].partition("/")[0] + "/" for key in keys if "/" in key[len(prefix) :]}
        shown = [key for key in keys if not delimiter or "/" not in key[len(prefix) :]]
        items = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{self._tag(key)}</ETag>"
            f"<Size>{len(self.server.files[key])}</Size></Contents>"
            for key in shown
        )
        if delimiter:
            items += "".join(f"<CommonPrefixes><Prefix>{each}</Prefix></CommonPrefixes>" for each in sorted(below))
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode()

    def _tag(self, key):
        return f'"{zlib.crc32(self.server.files[key]):08x}"'

    def _object(self, content, with_body):
        asked = self.headers.get("Range")
        first, _, last = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1 if last else None]
        headers = {"ETag": f'"{zlib.crc32(content):08x}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if asked:
            headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}"
        self._body(206 if asked else 200, part, with_body, **headers)

    def _body(self, status, body, with_body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@contextmanager
def serving(handler=Handler):
    """The address of a server, and the server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.requests = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
