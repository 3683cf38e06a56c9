"""A tracking server that is told to end: what it took is answered, nothing new is taken. So a rolling update loses no upload."""

import base64
import socket
import time
from pathlib import Path

import pytest

from tests.postgresql import PostgreSQL
from tests.seaweedfs import S3Server
from tests.tracking_server.server import ADMIN, PASSWORDS, tracking_server


@pytest.mark.slow
def test_an_upload_that_is_under_way_comes_to_its_end(tmp_path: Path, database: PostgreSQL, s3_server: S3Server) -> None:
    key = base64.b64encode(f"{ADMIN}:{PASSWORDS[ADMIN]}".encode()).decode()
    body = b"weights" * 100_000
    head = f"Host: 127.0.0.1\r\nAuthorization: Basic {key}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with tracking_server(tmp_path, database, s3_server, "ending") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(b"PUT /api/2.0/mlflow-artifacts/artifacts/1/weights.bin HTTP/1.1\r\n" + head.encode() + body[:1000])
            time.sleep(1)  # nginx takes it
            process = server.end()
            while _takes(server.port):
                time.sleep(0.05)
            connection.sendall(body[1000:])
            assert connection.recv(1024).startswith(b"HTTP/1.1 200")
        process.wait(60)
    stored = s3_server.client().get_object(Bucket="ending", Key="runs/1/weights.bin")["Body"].read()
    assert stored == body


def _takes(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
