"""A proxy before a real S3 server, which does to its answers what networks and stores do, and notes what was asked."""

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class Faults:
    """What the proxy does; a path is `/bucket/key`.

    Attributes:
        cut_after: the body of every answer to a GET breaks off after so many bytes; None: none does.
        ends_at: path → the object ends there, whatever its length is said to be.
        altered: paths of objects whose last byte comes as another.
        before: called with the path and the number of its GET requests so far, before each is passed on.
        asked: (path, first byte, last byte) of every GET with a range, in order.
    """

    cut_after: int | None = None
    ends_at: dict[str, int] = field(default_factory=dict)
    altered: set[str] = field(default_factory=set)
    before: Callable[[str, int], None] = lambda path, count: None
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def ranges(self, path: str) -> list[tuple[int, int]]:
        """The ranges of an object that were asked for."""
        return [(first, last) for asked, first, last in self.asked if asked == path]


@contextmanager
def faulty_proxy(port: int) -> Iterator[tuple[str, Faults]]:
    """Run a proxy before the server on a port of loopback; gives its address, and its faults, which may change while it runs."""
    faults = Faults()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._pass_on("HEAD")

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked = _RANGE.fullmatch(self.headers.get("Range", ""))
            if asked is None:
                self._pass_on("GET")
                return
            first, last = int(asked[1]), int(asked[2])
            faults.asked.append((path, first, last))
            faults.before(path, len(faults.ranges(path)))
            end = faults.ends_at.get(path)
            if end is not None and first >= end:
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._pass_on("GET", most=None if end is None else end - first)

        def _pass_on(self, method: str, most: int | None = None) -> None:
            server = http.client.HTTPConnection("127.0.0.1", port)
            server.request(method, self.path, headers=dict(self.headers))
            answer = server.getresponse()
            body = answer.read()
            server.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            body = body if most is None else body[:most]
            if self.path.partition("?")[0] in faults.altered and body:
                body = body[:-1] + bytes([body[-1] ^ 1])
            self.send_header("Content-Length", answer.getheader("Content-Length", "0") if method == "HEAD" else str(len(body)))
            self.end_headers()
            if faults.cut_after is not None and len(body) > faults.cut_after:
                self.wfile.write(body[: faults.cut_after])
                self.close_connection = True  # before all that was promised is sent
            else:
                self.wfile.write(body)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Says nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}", faults
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
