"""Who receives metrics and traces: a StatsD server, and one of OpenTelemetry's protocol."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """A metric as StatsD has it, with InfluxDB's tags."""

    name: str
    tags: dict[str, str]
    value: float
    kind: str


class StatsdServer:
    """Takes what comes by UDP.

    Attributes:
        port: where, on this machine.
        lines: what has come.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.lines: list[str] = []
        threading.Thread(target=self._take, daemon=True).start()

    def metrics(self, part: str) -> list[Metric]:
        """Those whose name has a part."""
        return [_parsed(line) for line in tuple(self.lines) if part in line.partition(":")[0]]

    def close(self) -> None:
        """Take no more."""
        with suppress(OSError):  # it has no other end; who waits for it is woken
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _take(self) -> None:
        while True:
            try:
                packet = self._socket.recv(65536)
            except OSError:
                return
            if not packet:
                return
            self.lines += packet.decode().splitlines()


def _parsed(line: str) -> Metric:
    """Read ``name,tag=x:12.5|ms``."""
    name, _, rest = line.partition(":")
    value, _, kind = rest.partition("|")
    bare, *pairs = name.split(",")
    return Metric(bare, dict(pair.split("=", 1) for pair in pairs), float(value), kind)


class OtlpReceiver:
    """Takes OpenTelemetry's metrics and traces by HTTP.

    Attributes:
        url: its address.
    """

    def __init__(self) -> None:
        receiver = self
        self._bodies: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver._bodies.append((self.path, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def spans(self) -> list[Any]:
        """The spans that have come."""
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

        found = []
        for body in self._of("/v1/traces"):
            message = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
            for resource in message.resource_spans:
                for scope in resource.scope_spans:
                    found += scope.spans
        return found

    def points(self, name: str) -> list[Any]:
        """The points of a histogram that have come."""
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

        found = []
        for body in self._of("/v1/metrics"):
            message = metrics_service_pb2.ExportMetricsServiceRequest.FromString(body)
            for resource in message.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        if metric.name == name:
                            found += metric.exponential_histogram.data_points
        return found

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()

    def _of(self, path: str) -> Iterator[bytes]:
        return (body for where, body in tuple(self._bodies) if where == path)


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span or a point."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in of.attributes}


@contextmanager
def statsd() -> Iterator[StatsdServer]:
    """A StatsD server."""
    server = StatsdServer()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def otlp() -> Iterator[OtlpReceiver]:
    """A receiver of OpenTelemetry's protocol."""
    receiver = OtlpReceiver()
    try:
        yield receiver
    finally:
        receiver.close()
