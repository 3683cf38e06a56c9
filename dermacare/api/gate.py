"""What every request passes before the app sees it, and every answer on its way out.

In: whom the request is for, where it comes from, whose key it has, whether there is room, whether it arrives in time. Out: headers
that keep a browser from doing what these pages never do.
"""

import asyncio
import base64
import math
import time
from collections.abc import Iterator

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dermacare.api import limits
from dermacare.api.keys import owner_of
from dermacare.api.metrics import Metrics
from dermacare.api.problems import ApiError, Kind, problem_response
from dermacare.api.settings import LOOPBACK, Settings

ASKED_BY = "dermacare.asked_by"
_PREFIX = "/api/v1"
_PREDICTIONS = f"{_PREFIX}/predictions"
_BODIES = {
    _PREDICTIONS: limits.IMAGE_BYTES + limits.FORM_BYTES,
    f"{_PREDICTIONS}/batch": limits.BATCH_BYTES + limits.FORM_BYTES,
}
_DISCARDED = 100 * limits.MIB
_DISCARD_SECONDS = 10.0
OPEN = frozenset({"/healthz", "/readyz"})
"""Addresses that ask nobody for a key, for orchestrators."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Gate:
    """The outermost layer of the app.

    Args:
        app: what is behind it.
        settings: of the server.
        metrics: are told of every request.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._room = _Room(settings, metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, answer = time.perf_counter(), _Answer(send)
        try:
            await self._pass(scope, receive, answer)
        finally:
            self._count(scope, answer.status, time.perf_counter() - started)

    async def _pass(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        arriving, taken = _Arriving(receive, scope["path"]), 0
        try:
            self._check(scope)
            taken = self._room.enter(scope)
            await self._app(scope, arriving, answer)
        except ApiError as error:
            await arriving.discard()
            await problem_response(error.problem(), error.headers)(scope, receive, answer)
        finally:
            if taken:
                self._room.leave(taken, answer.seconds)

    def _check(self, scope: Scope) -> None:
        """Whether the request may come in."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._settings.anybody_may_ask and _name_of(host) not in LOOPBACK:
            raise ApiError(Kind.WRONG_HOST, f"this server is not {host or 'a server without a name'}; it answers on loopback alone")
        _require_same_origin(scope["method"], headers, host)
        scope[ASKED_BY] = self._asked_by(scope["path"], headers)

    def _asked_by(self, path: str, headers: Headers) -> str | None:
        if path in OPEN:
            return None
        if self._settings.proxy_header is not None:
            user = headers.get(self._settings.proxy_header)
            if not user:
                raise ApiError(
                    Kind.NO_KEY, f"the request has no header {self._settings.proxy_header}; ask through the identity proxy"
                )
            return user[:200]
        if self._settings.keys is None:
            return None
        owner = next((name for key in _keys_of(headers) if (name := owner_of(key, self._settings.keys)) is not None), None)
        if owner is None:
            challenge = {"WWW-Authenticate": 'Basic realm="DermaCare", charset="UTF-8"'}
            raise ApiError(
                Kind.NO_KEY, "the request has no key that this server knows; send Authorization: Bearer KEY", headers=challenge
            )
        return owner

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        prefix = _PREFIX if scope["path"].startswith(_PREFIX) else ""
        route = prefix + scope["route"].path if "route" in scope else "other"
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)


class _Room:
    """How many predictions are in progress, and how many bytes they may have in memory."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._inside = 0
        self._bytes = 0
        self._seconds = 1.0  # that a prediction takes, of late

    def enter(self, scope: Scope) -> int:
        """Take room for a prediction, of whose body nothing was read yet; bytes that are its own, 0: it is none.

        Raises:
            ApiError: there is no room.
        """
        if scope["method"] != "POST" or not scope["path"].startswith(_PREDICTIONS):
            return 0
        most = _BODIES.get(scope["path"], limits.FORM_BYTES)
        headers = Headers(scope=scope)
        # A body in chunks has whatever length it comes to have, whatever is said beside.
        said = "" if "transfer-encoding" in headers else headers.get("content-length", "")
        wanted = max(1, min(int(said), most)) if said.isdecimal() else most
        if self._inside >= self._settings.waiting or self._bytes + wanted > limits.BYTES_IN_PROGRESS:
            wait = max(1, math.ceil(self._inside * self._seconds / self._settings.answering))
            self._metrics.turned_away.inc()
            seconds = "1 second" if wait == 1 else f"{wait} seconds"
            told = {"Retry-After": str(wait), "Connection": "close"}
            raise ApiError(Kind.BUSY, f"as many requests wait as may; try again in {seconds}", headers=told)
        self._inside += 1
        self._bytes += wanted
        self._metrics.in_progress.inc()
        return wanted

    def leave(self, taken: int, seconds: float | None) -> None:
        """Give the room back; `seconds`: that its answer took, None: it had none."""
        self._inside -= 1
        self._bytes -= taken
        self._metrics.in_progress.dec()
        if seconds is not None:
            self._seconds += (min(seconds, 10.0) - self._seconds) / 20


class _Arriving:
    """Hands on a request's body, until it is there in full, or its time or its room is used up.

    FastAPI lets HTTP's own exceptions through while it reads a form, and makes an error of any other.
    """

    def __init__(self, receive: Receive, path: str) -> None:
        self._receive = receive
        self._end = time.monotonic() + limits.ARRIVAL_SECONDS
        self._left = _BODIES.get(path, limits.FORM_BYTES)
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._end - time.monotonic()))
        except TimeoutError as error:
            seconds = f"{limits.ARRIVAL_SECONDS:.0f} seconds"
            raise HTTPException(408, f"the request did not arrive within {seconds}; send it again") from error
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            await self.discard()
            raise HTTPException(413, headers={"Connection": "close"})
        return message

    async def discard(self) -> None:
        """Let the rest come in, within reason: a client that is cut off while it sends never reads why."""
        left, end = _DISCARDED, time.monotonic() + _DISCARD_SECONDS
        while not self._whole and left > 0:
            try:
                message = await asyncio.wait_for(self._receive(), max(0.0, end - time.monotonic()))
            except TimeoutError:
                return
            left -= len(message.get("body", b""))
            self._whole = not message.get("more_body", False)


class _Answer:
    """Sends an answer with the headers that every one has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = time.perf_counter()
        self.status = 499  # nobody waited for it
        self.seconds: float | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status == 200:
                self.seconds = time.perf_counter() - self._started
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def _require_same_origin(method: str, headers: Headers, host: str) -> None:
    """Pages of others may not have a browser send anything here: it would do so with the user's key, and on loopback without."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    foreign = site in ("cross-site", "same-site") or (origin is not None and origin.partition("://")[2] != host)
    if foreign:
        raise ApiError(
            Kind.WRONG_ORIGIN, f"the request was sent by a page of {origin or 'another site'}; ask from DermaCare's own pages"
        )


def _name_of(host: str) -> str:
    """A Host header without its port: `[::1]:8000` → `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _keys_of(headers: Headers) -> Iterator[str]:
    """The key of a program (Bearer), or of a browser that asked its user (Basic: any name, the key as password)."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield rest.strip()
    if scheme.lower() == "basic":
        try:
            yield base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except ValueError:  # no base64, letters beyond ASCII, or bytes that are no UTF-8
            return


def asked_by(request: Request) -> str | None:
    """Who asks; None: nobody was asked who he is."""
    name: str | None = request.scope.get(ASKED_BY)
    return name
