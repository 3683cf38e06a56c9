"""`dermacare serve`: the API and the built pages, in one process."""

import logging
import os
import socket
from contextlib import suppress
from pathlib import Path

import typer
import uvicorn

from components.errors import MachineError, ParamsError
from dermacare.api.app import serve_app
from dermacare.api.keys import VARIABLE, digest_of, new_key, read_keys
from dermacare.api.settings import Settings
from dermacare.console import console
from pipelines.home import Home

_GRACE_SECONDS = 30


def serve(host: str, port: int, proxy_header: str | None) -> None:
    """Serve until Ctrl-C.

    Raises:
        ParamsError: others could reach it, and nothing says who may ask.
        MachineError: the port is taken, or the file of keys cannot be read.
    """
    settings = _settings(host, proxy_header)
    with _listen(host, port) as listener:
        logging.basicConfig(format="%(message)s", level=logging.WARNING)
        shown = f"[{host}]" if ":" in host else host
        console.print(f"DermaCare: http://{shown}:{listener.getsockname()[1]} (Ctrl-C ends it)", markup=False)
        config = uvicorn.Config(
            serve_app(settings),
            log_level="warning",
            access_log=False,  # addresses and paths of who asked are nobody's business; /metrics counts them
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            lifespan="on",
        )
        with suppress(KeyboardInterrupt):  # uvicorn raises it again when all requests are answered
            uvicorn.Server(config).run(sockets=[listener])
    console.print("DermaCare: ended")


def print_key(name: str) -> None:
    """Make an API key, print it once, and the line that the server is told of it."""
    key = new_key()
    typer.echo(f"key, shown this once: {key}", err=True)
    typer.echo(f"line for the file that {VARIABLE} names:", err=True)
    typer.echo(f"{digest_of(key)} {name}")


def _settings(host: str, proxy_header: str | None) -> Settings:
    file = os.environ.get(VARIABLE)
    keys = read_keys(Path(file)) if file else None
    settings = Settings(home=Home.here(), host=host, keys=keys, proxy_header=proxy_header)
    if not settings.loopback and settings.anybody_may_ask:
        raise ParamsError(
            f"--host {host}: others could ask without a key; set {VARIABLE} to a file of keys (`dermacare serve-key NAME`), or put "
            "an identity proxy in front and name its header with --behind-proxy"
        )
    return settings


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Of a socket that says TCP asyncio takes Nagle's delay away, which costs 40 ms an answer on a connection that is kept.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise MachineError(f"--port {port}: cannot be used on {host} ({error.strerror}); choose another") from error
    return listener
