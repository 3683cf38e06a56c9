"""What goes wrong, as RFC 9457 has it: `application/problem+json`, one kind a `type`, the field named where one is to blame."""

import logging
from collections.abc import Mapping, Sequence
from enum import Enum
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dermacare.api.schemas import FieldProblem, Problem

_log = logging.getLogger("dermacare.api")

MEDIA_TYPE = "application/problem+json"


class Kind(Enum):
    """Kinds of problems: the last part of the `type`, HTTP's status, the title."""

    MALFORMED = ("malformed", 400, "The request is malformed")
    NO_KEY = ("no-key", 401, "A key is missing")
    WRONG_ORIGIN = ("wrong-origin", 403, "The request comes from another site")
    NOT_FOUND = ("not-found", 404, "There is nothing at this address")
    WRONG_METHOD = ("wrong-method", 405, "This address does not know the method")
    TOO_SLOW = ("too-slow", 408, "The request took too long to arrive")
    TOO_LARGE = ("too-large", 413, "The request is too large")
    WRONG_TYPE = ("wrong-type", 415, "The file is of a type that is not read")
    WRONG_HOST = ("wrong-host", 421, "The request is for another host")
    INVALID = ("invalid", 422, "A field of the request is wrong")
    UNREADABLE = ("unreadable", 422, "The image cannot be read")
    BUSY = ("busy", 429, "The server is busy")
    FAULT = ("fault", 500, "The server made a mistake")
    NOT_READY = ("not-ready", 503, "No model serves")
    NOT_LOGGED = ("not-logged", 503, "The answer cannot be logged")

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title


class ApiError(Exception):
    """What a route raises to answer with a problem.

    Args:
        kind: what kind it is.
        detail: one sentence: what is wrong, and the way out.
        field: the field of the request that is to blame; None: none is.
        headers: of the answer.
    """

    def __init__(self, kind: Kind, detail: str, *, field: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = [] if field is None else [FieldProblem(field=field, message=detail)]
        self.headers = headers

    def problem(self) -> Problem:
        """The problem that it is, with an `instance` of its own."""
        return make_problem(self.kind, self.detail, self.errors)


def make_problem(kind: Kind, detail: str, errors: Sequence[FieldProblem] = ()) -> Problem:
    """A problem; `instance` is new each time, so that a log line and an answer can be told to belong together."""
    return Problem(
        type=f"urn:dermacare:problem:{kind.slug}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=f"urn:uuid:{uuid4()}",
        errors=list(errors),
    )


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that a problem is."""
    return JSONResponse(problem.model_dump(mode="json"), problem.status, headers, MEDIA_TYPE)


def answers(*kinds: Kind) -> dict[int | str, dict[str, object]]:
    """What OpenAPI is told of the problems that a route may answer with."""
    by_status: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {status: _documented(group) for status, group in by_status.items()}


def _documented(kinds: list[Kind]) -> dict[str, object]:
    examples = {
        kind.slug: {
            "value": {
                "type": f"urn:dermacare:problem:{kind.slug}",
                "title": kind.title,
                "status": kind.status,
                "detail": _EXAMPLES[kind],
                "instance": "urn:uuid:5b0c2f6e-6c1d-4a58-9d0c-0e6f2f4b7a11",
                "errors": [{"field": _FIELDS[kind], "message": _EXAMPLES[kind]}] if kind in _FIELDS else [],
            }
        }
        for kind in kinds
    }
    documented: dict[str, object] = {
        "description": ", or: ".join(dict.fromkeys(kind.title for kind in kinds)),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    }
    if kinds[0] is Kind.BUSY:
        documented["headers"] = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
    return documented


_EXAMPLES = {
    Kind.MALFORMED: "the body is no multipart form; send one with the field image",
    Kind.NO_KEY: "the request has no key that this server knows; send Authorization: Bearer KEY",
    Kind.WRONG_ORIGIN: "the request was sent by a page of https://evil.example; ask from DermaCare's own pages",
    Kind.NOT_FOUND: "/api/v1/nothing: there is nothing here; /api/v1/openapi.json lists what there is",
    Kind.WRONG_METHOD: "/api/v1/predictions: does not answer GET; it answers POST",
    Kind.TOO_SLOW: "the request did not arrive within 60 seconds; send it again",
    Kind.TOO_LARGE: "image: is larger than 25 MiB; scale it down",
    Kind.WRONG_TYPE: "image: is neither a JPEG nor a PNG; convert it",
    Kind.WRONG_HOST: "this server is not evil.example; it answers on loopback alone",
    Kind.INVALID: "age: Input should be less than or equal to 120",
    Kind.UNREADABLE: "image: ends before its image does (it is truncated); get it again",
    Kind.BUSY: "as many requests wait as may; try again in 1 second",
    Kind.FAULT: "something went wrong that is not your fault; the server's log has it under this instance",
    Kind.NOT_READY: "no model serves yet; run the pipeline, or let a version serve with `dermacare promote`",
    Kind.NOT_LOGGED: "predictions.db: the answer cannot be logged (disk full), so it is not given; free space, then ask again",
}
_FIELDS = {
    Kind.TOO_LARGE: "image",
    Kind.WRONG_TYPE: "image",
    Kind.INVALID: "age",
    Kind.UNREADABLE: "image",
}
_KINDS = {kind.status: kind for kind in reversed(Kind)}


def add_handlers(app: FastAPI) -> None:
    """Let the app answer every error with a problem."""
    app.add_exception_handler(ApiError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return problem_response(error.problem(), error.headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [FieldProblem(field=".".join(map(str, one["loc"][1:])) or "body", message=one["msg"]) for one in error.errors()]
    detail = "; ".join(f"{one.field}: {one.message}" for one in found)
    return problem_response(make_problem(Kind.INVALID, detail, found))


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = _KINDS.get(error.status_code, Kind.MALFORMED)
    path = request.url.path
    details = {
        Kind.NOT_FOUND: f"{path}: there is nothing here; /api/v1/openapi.json lists what there is",
        Kind.WRONG_METHOD: f"{path}: does not answer {request.method}; it answers {(error.headers or {}).get('Allow', 'others')}",
        Kind.TOO_LARGE: "the request is larger than this address takes; send smaller images, or fewer",
        Kind.MALFORMED: f"{error.detail}; send a multipart form",
    }
    return problem_response(make_problem(kind, details.get(kind, str(error.detail))), error.headers)


def _fault(request: Request, error: Exception) -> JSONResponse:
    """The traceback goes to the log (Starlette raises the error on), never to the client."""
    problem = make_problem(Kind.FAULT, _EXAMPLES[Kind.FAULT])
    _log.error("%s: %s %s failed", problem.instance, request.method, request.url.path)
    return problem_response(problem)
