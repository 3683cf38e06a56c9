"""Who may ask, from where, how much at once; and what a server lives through."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import httpx
import numpy as np
import psutil
import pytest

from dermacare.api import limits
from dermacare.api.keys import digest_of, new_key, owner_of, read_keys
from pipelines.home import Home
from tests.components.predict.drawn import lesion, png
from tests.dermacare.api.test_predictions import PREDICTIONS, problem
from tests.dermacare_server import Server, serving

IMAGE = png(lesion())


def dermacare(*arguments: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "DERMACARE_API_KEYS"}
    environment |= {"DERMACARE_HOME": str(home), **variables}
    command = [sys.executable, "-m", "dermacare.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def metric(server: Server, line: str) -> float:
    text = httpx.get(f"{server.address}/metrics").text.splitlines()
    return next((float(one.rpartition(" ")[2]) for one in text if one.startswith(line)), 0.0)


class TestWhoMayAsk:
    def test_on_loopback_another_hosts_name_is_turned_away(self, client: httpx.Client) -> None:
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", ""):
            assert problem(client.get("/api/v1/models", headers={"Host": host}), 421).type == "urn:dermacare:problem:wrong-host"
        assert client.get("/api/v1/models", headers={"Host": "LocalHost:1"}).status_code == 200

    @pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}])
    def test_a_page_of_others_may_not_have_a_browser_ask(self, headers: dict[str, str], client: httpx.Client) -> None:
        answer = client.post(PREDICTIONS, files={"image": ("a.png", IMAGE)}, data={"consent": "true"}, headers=headers)
        assert problem(answer, 403).type == "urn:dermacare:problem:wrong-origin"

    def test_our_own_page_may(self, client: httpx.Client, server: Server) -> None:
        headers = {"Origin": server.address, "Sec-Fetch-Site": "same-origin"}
        assert client.post(PREDICTIONS, files={"image": ("a.png", IMAGE)}, headers=headers).status_code == 200

    def test_no_other_site_is_let_in_by_cors(self, client: httpx.Client) -> None:
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        answer = client.options(PREDICTIONS, headers=headers)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]

    def test_beyond_loopback_it_starts_with_keys_or_a_proxy_alone(self, fetched_home: Home, tmp_path: Path) -> None:
        ended = dermacare("serve", "--host", "0.0.0.0", "--port", "0", home=fetched_home.root)
        assert ended.returncode == 2
        assert "others could ask without a key; set DERMACARE_API_KEYS" in ended.stderr
        (tmp_path / "keys").write_text("my secret key\n")
        ended = dermacare("serve", "--port", "0", home=fetched_home.root, DERMACARE_API_KEYS=str(tmp_path / "keys"))
        assert ended.returncode == 1
        assert "line 1 is no SHA-256 and a name" in ended.stderr
        assert "my secret key" not in ended.stderr

    @pytest.mark.slow
    def test_with_keys_whoever_has_none_learns_nothing(self, ready_home: Home, tmp_path: Path) -> None:
        made = dermacare("serve-key", "Eva", home=ready_home.root)
        (tmp_path / "keys").write_text(f"# who may ask\n\n{made.stdout}")
        key = made.stderr.splitlines()[0].rpartition(" ")[2]
        assert key not in made.stdout
        environment = {"DERMACARE_API_KEYS": str(tmp_path / "keys")}
        with serving(ready_home.root, "--host", "0.0.0.0", environment=environment) as server:
            address = server.address.replace("0.0.0.0", "127.0.0.1")
            for headers in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": "Basic !"},
                {"Authorization": "Basic é".encode("latin-1")},
                {"Authorization": f"Bearer {key}x"},
            ):
                for path in ("/", "/api/v1/models", "/metrics", "/api/v1/openapi.json"):
                    answer = httpx.get(address + path, headers=headers)
                    assert problem(answer, 401).type == "urn:dermacare:problem:no-key"
                    assert answer.headers["www-authenticate"].startswith("Basic")
            assert httpx.get(f"{address}/healthz").status_code == 200
            assert httpx.get(f"{address}/api/v1/models", auth=("eva", key)).status_code == 200
            asked = httpx.post(address + PREDICTIONS, files={"image": ("a.png", IMAGE)}, headers={"Authorization": f"Bearer {key}"})
            assert asked.status_code == 200
        traced = dermacare("trace", asked.json()["id"], "--json", home=ready_home.root)
        assert '"asked_by": "Eva"' in traced.stdout

    @pytest.mark.slow
    def test_behind_an_identity_proxy_its_header_says_who(self, ready_home: Home) -> None:
        with serving(ready_home.root, "--behind-proxy", "X-Forwarded-User") as server:
            assert problem(httpx.get(f"{server.address}/api/v1/models"), 401)
            headers = {"X-Forwarded-User": "eva@clinic", "Host": "dermacare.clinic"}
            assert httpx.get(f"{server.address}/api/v1/models", headers=headers).status_code == 200

    def test_a_key_is_random_and_found_by_its_digest_alone(self, tmp_path: Path) -> None:
        key = new_key()
        (tmp_path / "keys").write_text(f"{digest_of(key)} Eva of dermatology\n")
        keys = read_keys(tmp_path / "keys")
        assert owner_of(key, keys) == "Eva of dermatology"
        assert owner_of(digest_of(key), keys) is None
        assert len(key) >= 43
        assert key != new_key()


class TestHeaders:
    @pytest.mark.parametrize("path", ["/", "/predict", "/api/v1/models", "/api/v1/nothing", "/healthz", "/metrics"])
    def test_every_answer_has_them(self, path: str, client: httpx.Client) -> None:
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in policy
        assert headers["permissions-policy"].startswith("camera=(self)")
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "server" not in headers
        assert "public" not in headers["cache-control"]

    def test_answers_are_stored_nowhere(self, client: httpx.Client) -> None:
        answer = client.post(PREDICTIONS, files={"image": ("a.png", IMAGE)})
        assert answer.headers["cache-control"] == "no-store"


class TestHowMuch:
    @pytest.mark.slow
    def test_one_request_more_than_may_wait_is_told_when_to_come_again(self, ready_home: Home) -> None:
        with serving(ready_home.root) as server:
            host, port = server.address.removeprefix("http://").split(":")
            head = f"POST {PREDICTIONS} HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            waiting = [socket.create_connection((host, int(port))) for _ in range(limits.WAITING)]
            try:
                for connection in waiting:
                    connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode())
                until(lambda: metric(server, "dermacare_predictions_in_progress") == limits.WAITING)
                answer = httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)})
                assert problem(answer, 429).type == "urn:dermacare:problem:busy"
                assert int(answer.headers["retry-after"]) >= 1
                assert httpx.get(f"{server.address}/healthz").status_code == 200
                assert metric(server, "dermacare_turned_away_total") == 1
            finally:
                for connection in waiting:
                    connection.close()
            until(lambda: metric(server, "dermacare_predictions_in_progress") == 0)
            assert httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)}).status_code == 200

    @pytest.mark.parametrize("said", [f"Content-Length: {190 << 20}", "Content-Length: 1\r\nTransfer-Encoding: chunked"])
    def test_a_few_large_batches_do_not_fill_the_memory(self, ready_home: Home, said: str) -> None:
        with serving(ready_home.root) as server:
            host, port = server.address.removeprefix("http://").split(":")
            head = f"POST {PREDICTIONS}/batch HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            batches = [socket.create_connection((host, int(port))) for _ in range(2)]
            try:
                for connection in batches:
                    connection.sendall(f"{head}{said}\r\n\r\n".encode())
                until(lambda: metric(server, "dermacare_predictions_in_progress") == 2)
                third = httpx.post(f"{server.address}{PREDICTIONS}/batch", files={"images": ("a.zip", bytes(150 << 20))})
                assert problem(third, 429).type == "urn:dermacare:problem:busy"
                assert httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)}).status_code == 200
            finally:
                for connection in batches:
                    connection.close()

    @pytest.mark.slow
    def test_who_leaves_is_not_answered_and_leaves_nothing_behind(self, ready_home: Home) -> None:
        large = bytes(cv2.imencode(".png", np.zeros((7000, 7000, 3), np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])
        with serving(ready_home.root) as server:
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", large)}, timeout=httpx.Timeout(5, read=0.15))
            until(lambda: metric(server, "dermacare_predictions_in_progress") == 0)
            assert metric(server, f'dermacare_http_requests_total{{method="POST",route="{PREDICTIONS}",status="499"}}') == 1
            assert metric(server, "dermacare_refusals_total") + metric(server, "dermacare_predictions_total") == 0

    def test_a_decoder_that_is_killed_is_replaced(self, ready_home: Home) -> None:
        with serving(ready_home.root) as server:
            assert httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)}).status_code == 200
            for child in psutil.Process(server.process.pid).children(recursive=True):
                if child.ppid() != server.process.pid:
                    child.kill()
            answers = [httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)}) for _ in range(4)]
            assert {answer.status_code for answer in answers} <= {200, 422}
            assert answers[-1].status_code == 200


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads what files a process has open from /proc")
def test_an_image_that_arrives_lies_in_memory_alone(server: Server) -> None:
    host, port = server.address.removeprefix("http://").split(":")
    head = f"POST {PREDICTIONS} HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'

    def without_a_name() -> set[str]:
        """Files that are open and were deleted, as temporary ones are."""
        links = [path.readlink() for path in Path(f"/proc/{server.process.pid}/fd").iterdir() if path.is_symlink()]
        return {str(link) for link in links if str(link).endswith("(deleted)")}

    before = without_a_name()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{head}Content-Length: 10000000\r\n\r\n".encode() + part + bytes(5 << 20))
        until(lambda: metric(server, "dermacare_predictions_in_progress") == 1)
        time.sleep(0.5)
        assert without_a_name() <= before
    until(lambda: metric(server, "dermacare_predictions_in_progress") == 0)


class TestTheCommand:
    def test_a_port_that_is_taken_is_one_sentence(self, fetched_home: Home, server: Server) -> None:
        port = server.address.rpartition(":")[2]
        ended = dermacare("serve", "--port", port, home=fetched_home.root)
        assert ended.returncode == 1
        assert ended.stderr.strip().splitlines() == [
            f"error: --port {port}: cannot be used on 127.0.0.1 (Address already in use); choose another"
        ]

    def test_ctrl_c_ends_it_in_one_line(self, ready_home: Home) -> None:
        with serving(ready_home.root) as server:
            pass
        assert server.process.returncode == 0
        first, *between, last = server.log.read_text().splitlines()
        assert first == f"DermaCare: {server.address} (Ctrl-C ends it)"
        assert last == "DermaCare: ended"
        assert all(line.startswith("serving entry 1 of the ledger") for line in between)
        assert not psutil.pid_exists(server.process.pid)


def test_metrics_count_without_naming_anybody(ready_home: Home) -> None:
    with serving(ready_home.root) as server:
        for data, fields in ((IMAGE, {"age": "54", "sex": "female"}), (png(np.zeros((64, 64, 3), np.uint8)), {}), (b"x", {})):
            httpx.post(server.address + PREDICTIONS, files={"image": ("eva.png", data)}, data=fields)
        httpx.get(f"{server.address}/api/v1/eva/54")
        text = httpx.get(f"{server.address}/metrics").text
    for line in (
        'dermacare_predictions_total{diagnosis="MEL"} 1.0',
        "dermacare_refusals_total 1.0",
        f'dermacare_http_requests_total{{method="POST",route="{PREDICTIONS}",status="200"}} 2.0',
        f'dermacare_http_requests_total{{method="POST",route="{PREDICTIONS}",status="415"}} 1.0',
        'dermacare_warnings_total{warning="dark"} 1.0',
        "dermacare_release_entry 1.0",
        "dermacare_release_current 1.0",
    ):
        assert line in text
    assert "eva" not in text
    assert "female" not in text
