"""What the server counts, for Prometheus; nothing of it is about a person."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)


class Metrics:
    """Counters and gauges of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("http_requests", "Requests", "method", "route", "status")
        self.predictions = self._counter("predictions", "Images answered, by the most probable diagnosis", "diagnosis")
        self.refusals = self._counter("refusals", "Images refused as strange")
        self.warnings = self._counter("warnings", "Warnings about images", "warning")
        self.unreadable = self._counter("unreadable", "Images that could not be read")
        self.turned_away = self._counter("turned_away", "Requests told to come again")
        self.in_progress = self._gauge("predictions_in_progress", "Requests for predictions in progress")
        self.entry = self._gauge("release_entry", "Number of the ledger's entry that serves")
        self.current = self._gauge("release_current", "1: the newest release serves; 0: an older one does, or none")
        self.since = self._gauge("release_since_timestamp_seconds", "When this release began to serve")
        self.looked = self._gauge("ledger_read_timestamp_seconds", "When the ledger was read last")
        self.seconds = Histogram(
            "http_seconds", "Seconds a request took", ["route"], namespace="dermacare", buckets=_SECONDS, registry=self.registry
        )

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, namespace="dermacare", registry=self.registry)

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(name, what, namespace="dermacare", registry=self.registry)

    def render(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)
