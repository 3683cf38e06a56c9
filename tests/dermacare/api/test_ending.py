"""A server that is told to end: what it took is answered, nothing new is taken. So a rolling update loses no request."""

import signal
import socket
import time

import httpx

from pipelines.home import Home
from tests.components.predict.drawn import lesion, png
from tests.dermacare_server import Server, serving


def refuses(server: Server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_request_that_is_still_arriving_is_answered(ready_home: Home) -> None:
    request = httpx.Request("POST", "http://127.0.0.1/api/v1/predictions", files={"image": ("a.png", png(lesion()))})
    body = request.read()
    head = f"POST /api/v1/predictions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {request.headers['content-type']}\r\n"
    with (
        serving(ready_home.root) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection,
    ):
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2])
        while "dermacare_predictions_in_progress 1.0" not in httpx.get(f"{server.address}/metrics").text:
            time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        while not refuses(server):
            time.sleep(0.05)
        connection.sendall(body[len(body) // 2 :])
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")
        server.process.wait(30)
