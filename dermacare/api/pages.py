"""The built pages: files as they are, `index.html` for every address that the app itself knows."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

BUILT = Path(__file__).parents[1] / "web" / "dist"

_ABSENT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>DermaCare</title></head><body>
<h1>The pages are not built</h1><p>Type <code>make web</code> in the clone, then start again. The API answers all the same:
<a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p></body></html>"""


def pages(folder: Path = BUILT) -> ASGIApp:
    """What answers where no route does.

    Args:
        folder: the built front end; absent: one plain page says how it is built.
    """
    return GZipMiddleware(_Pages(folder), minimum_size=1024, compresslevel=6)


class _Pages:
    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder, check_dir=False)
        self._there = (folder / "index.html").is_file()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise HTTPException(404)
        response = await self._respond(scope)
        await response(scope, receive, send)

    async def _respond(self, scope: Scope) -> Response:
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or path.startswith("/api/"):
            raise HTTPException(404)
        if not self._there:
            return HTMLResponse(_ABSENT)
        try:
            response = await self._files.get_response(path.lstrip("/") or "index.html", scope)
        except HTTPException as error:
            if error.status_code != 404 or "." in path.rpartition("/")[2]:
                raise
            response = await self._files.get_response("index.html", scope)
        # The build names what it makes by its content; all else is asked for again.
        lasting = path.startswith("/assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response
