"""A simulated Kubeflow Pipelines API, since no cluster runs here: a real HTTP server that answers as the real one's swagger says.

It keeps pipelines, versions, experiments, runs and recurring runs in memory and runs none of them: a test says how a run goes on.
Bodies of requests are held against kfp's own models (`kfp_server_api`): a field that they lack, or of another type, is answered
with 400 and fails the test that looks at `faults`.
"""

import contextlib
import datetime
import json
import re
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api
import yaml

# Protobuf's JSON takes a 64-bit number, which the models call a text, as either.
_PLAIN = {"str": (str, int), "int": int, "float": (int, float), "bool": bool, "object": object, "datetime": str}


def fault_of(kind: str, value: Any, where: str = "body") -> str | None:
    """What a JSON value has that kfp's swagger model of this name does not let it have; None: nothing."""
    if value is None:
        return None
    if found := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            return f"{where} is no list"
        return next(filter(None, (fault_of(found[1], one, f"{where}[]") for one in value)), None)
    if found := re.fullmatch(r"dict\(str, (.+)\)", kind):
        if not isinstance(value, dict):
            return f"{where} is no mapping"
        return next(filter(None, (fault_of(found[1], one, f"{where}.{key}") for key, one in value.items())), None)
    if kind in _PLAIN:
        allowed: Any = _PLAIN[kind]
        return None if isinstance(value, allowed) else f"{where} is no {kind}"
    model = getattr(kfp_server_api, kind)
    if hasattr(model, "allowable_values"):
        return None if value in model.allowable_values else f"{where} is {value!r}"
    if not isinstance(value, dict):
        return f"{where} is no {kind}"
    names = {json_name: attribute for attribute, json_name in model.attribute_map.items()}
    for key, one in value.items():
        if key not in names:
            return f"{where}.{key} is no field of {kind}"
        if fault := fault_of(model.openapi_types[names[key]], one, f"{where}.{key}"):
            return fault
    return None


@dataclass
class SimulatedKubeflow:
    """The server's state, for tests to look at and to set.

    Attributes:
        address: `http://127.0.0.1:<port>`.
        multi_user: whether it serves several namespaces; requests must then name one, and else must not.
        token: the bearer token that it wants; empty: none.
        down: answers 503 while it is set.
        uploads: bytes of each uploaded version.
        faults: what was wrong with requests.
        stages: what `runs` go through, one a look: (state, tasks as name → state, error).
    """

    address: str = ""
    multi_user: bool = False
    token: str = ""
    down: bool = False
    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: list[bytes] = field(default_factory=list)
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    recurring: dict[str, dict[str, Any]] = field(default_factory=dict)
    terminated: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    stages: list[tuple[str, list[tuple[str, str]], str]] = field(default_factory=list)
    looked: int = 0

    def look(self, run: str) -> dict[str, Any]:
        """A run as it stands at this look; the next one is a stage further."""
        told = dict(self.runs[run])
        if run in self.terminated:
            return told | {"state": "CANCELED"}
        if self.stages:
            state, tasks, error = self.stages[min(self.looked, len(self.stages) - 1)]
            self.looked += 1
            details = [
                {"task_id": str(number), "display_name": name, "state": task, "run_id": run}
                | ({"error": {"code": 13, "message": error}} if task == "FAILED" else {})
                for number, (name, task) in enumerate(tasks)
            ]
            told |= {"state": state, "run_details": {"task_details": details}}
        return told


@contextlib.contextmanager
def simulated_kubeflow() -> Iterator[SimulatedKubeflow]:
    """Serve on loopback; it answers when the block begins and is gone when it ends."""
    state = SimulatedKubeflow()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Fault(Exception):
    """A request that the real server would refuse."""


class _Handler(BaseHTTPRequestHandler):
    state: SimulatedKubeflow

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Tests read what they want from the state."""

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if self.state.down:
            return self._send(503, {"message": "no upstream"})
        if self.state.token and self.headers.get("authorization") != f"Bearer {self.state.token}":
            return self._send(401, {"message": "who are you"})
        try:
            told = self._route(method, url.path.removeprefix("/apis/v2beta1"), query, body)
        except _Fault as fault:
            self.state.faults.append(f"{method} {url.path}: {fault}")
            return self._send(400, {"message": str(fault)})
        except KeyError as error:
            return self._send(404, {"message": f"{error} not found"})
        return self._send(200, told)

    def _send(self, status: int, told: dict[str, Any]) -> None:
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _route(self, method: str, path: str, query: dict[str, str], body: bytes) -> dict[str, Any]:
        state = self.state
        parts = path.strip("/").split("/")
        match method, parts:
            case "GET", ["healthz"]:
                return {"multi_user": state.multi_user}
            case "GET", ["experiments"]:
                self._check_namespace(query.get("namespace"))
                return {"experiments": _named(state.experiments, query)}
            case "POST", ["experiments"]:
                return self._keep(state.experiments, "experiment_id", "V2beta1Experiment", body)
            case "GET", ["pipelines"]:
                self._check_namespace(query.get("namespace"))
                return {"pipelines": _named(state.pipelines, query)}
            case "POST", ["pipelines"]:
                return self._keep(state.pipelines, "pipeline_id", "V2beta1Pipeline", body)
            case "POST", ["pipelines", "upload_version"]:
                return self._upload(query, body)
            case "GET", ["pipelines", pipeline, "versions"]:
                own = {key: one for key, one in state.versions.items() if one["pipeline_id"] == pipeline}
                return {"pipeline_versions": _named(own, query)}
            case "POST", ["runs"]:
                return self._start(body)
            case "GET", ["runs", run]:
                return state.look(run)
            case "POST", ["runs", name] if name.endswith(":terminate"):
                run = name.removesuffix(":terminate")
                state.terminated.append(state.runs[run]["run_id"])
                return {}
            case "POST", ["recurringruns"]:
                self._check_version(json.loads(body))
                return self._keep(state.recurring, "recurring_run_id", "V2beta1RecurringRun", body, status="ENABLED")
            case "GET", ["recurringruns"]:
                found = [one for one in state.recurring.values() if one["experiment_id"] == query["experiment_id"]]
                return {"recurringRuns": found}
            case "DELETE", ["recurringruns", one]:
                del state.recurring[one]
                return {}
        raise _Fault("is no address of this API")

    def _upload(self, query: dict[str, str], body: bytes) -> dict[str, Any]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        (part,) = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        data = part.get_payload(decode=True)
        spec = next(iter(yaml.safe_load_all(data)))
        if "pipelineInfo" not in spec:
            raise _Fault("the file is no pipeline")
        if any(one["display_name"] == query["name"] for one in self.state.versions.values()):
            raise _Fault("there is a version of this name")
        self.state.uploads.append(data)
        owner = self.state.pipelines[query["pipelineid"]]["pipeline_id"]
        told = {"pipeline_id": owner, "pipeline_version_id": str(uuid.uuid4()), "display_name": query["name"]}
        self.state.versions[told["pipeline_version_id"]] = told
        return told

    def _start(self, body: bytes) -> dict[str, Any]:
        asked = json.loads(body)
        self._check_version(asked)
        spec = next(iter(yaml.safe_load_all(self.state.uploads[-1])))
        known = set(spec["root"]["inputDefinitions"]["parameters"])
        if unknown := set(asked["runtime_config"]["parameters"]) - known:
            raise _Fault(f"the pipeline has no parameters {unknown}")
        return self._keep(self.state.runs, "run_id", "V2beta1Run", body, state="PENDING")

    def _check_version(self, asked: dict[str, Any]) -> None:
        reference = asked["pipeline_version_reference"]
        if self.state.versions[reference["pipeline_version_id"]]["pipeline_id"] != reference["pipeline_id"]:
            raise _Fault("the version is not of this pipeline")
        if asked["experiment_id"] not in self.state.experiments:
            raise _Fault("there is no such experiment")

    def _check_namespace(self, namespace: str | None) -> None:
        if bool(namespace) != self.state.multi_user:
            raise _Fault("a namespace must be named" if self.state.multi_user else "no namespace may be named")

    def _keep(self, where: dict[str, Any], key: str, kind: str, body: bytes, **more: str) -> dict[str, Any]:
        asked = json.loads(body)
        if fault := fault_of(kind, asked):
            raise _Fault(fault)
        if kind in ("V2beta1Experiment", "V2beta1Pipeline"):
            self._check_namespace(asked.get("namespace"))
        now = datetime.datetime.now(datetime.UTC).isoformat()
        told: dict[str, Any] = asked | {key: str(uuid.uuid4()), "created_at": now} | more
        where[told[key]] = told
        return told


def _named(where: dict[str, dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    if "filter" not in query:
        return list(where.values())
    (predicate,) = json.loads(query["filter"])["predicates"]
    if predicate["key"] not in ("display_name", "name"):
        raise _Fault(f"{predicate['key']} cannot be filtered by")
    wanted = predicate.get("stringValue", predicate.get("string_value"))
    return [one for one in where.values() if one["display_name"] == wanted]
