# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost metrics`: serves /metrics and /healthz, a process of its own that no mail waits for."""

import json
import logging
import os
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

import click
from prometheus_client import CollectorRegistry, Metric, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily

import tradepost.metrics  # noqa: F401 - makes every series, so that all stand at 0 before any mail came
from tradepost.cli import Invocation
from tradepost.directory_choice import open_directory
from tradepost.errors import Refusal
from tradepost.health import (
    DirectoryReading,
    Health,
    JournalReading,
    MilterReading,
    ModelReading,
    Readings,
    ShipperReading,
    Status,
    WorkerReading,
    judge,
)
from tradepost.journal import Journal, JournalFull, Reserve
from tradepost.metrics_sum import SharedCounts
from tradepost.settings import Settings

log = logging.getLogger("tradepost.metrics")


class Observer:
    """Looks at journal, directory and the other processes' words, at every scrape anew."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._journal = Journal(
            settings.journal_dir, Reserve(settings.journal.reserve_bytes, settings.journal.reserve_percent)
        )
        self._directory = open_directory(settings, deadline_ms=1000)
        self._counts = SharedCounts(settings.metrics_dir)

    def read(self) -> Readings:
        """Take all readings.  Never raises for a part that is missing or broken: that is a reading too."""
        settings = self._settings
        values = {sample.name: sample.value for metric in self._counts.collect() for sample in metric.samples}
        confirmation = "assumed" if settings.maillog.source == "none" else settings.maillog.source
        return Readings(
            version=version("tradepost"),
            journal=self._read_journal(),
            directory=self._read_directory(),
            worker=self._read_worker(values),
            milter=self._read_milter(values),
            confirmation=confirmation,
            maillog_silent_seconds=_age(values, "tradepost_maillog_heartbeat_seconds"),
            is_shipping=bool(settings.redis.url),
            shipper=self._read_shipper(values),
            model=_read_model(values),
        )

    def _read_journal(self) -> JournalReading | None:
        try:
            depth = self._journal.depth()
            try:
                self._journal.check_room()
                is_full = False
            except JournalFull:
                is_full = True
        except OSError as error:
            log.warning("the journal can't be read: %s", error)
            return None
        return JournalReading(depth.entries, depth.oldest_seconds, depth.failed, is_full)

    def _read_directory(self) -> DirectoryReading | None:
        state = self._directory.state()
        if state is None:
            return None
        age = (datetime.now(UTC) - state.projected_at).total_seconds()
        return DirectoryReading(state.generation, state.seq, age, self._settings.directory.stale_after_seconds)

    def _read_worker(self, values: dict[str, float]) -> WorkerReading | None:
        silent = _age(values, "tradepost_worker_heartbeat_seconds")
        if silent is None:
            return None
        return WorkerReading(silent, values["tradepost_worker_lag_seconds"], int(values["tradepost_unconfirmed"]))

    def _read_shipper(self, values: dict[str, float]) -> ShipperReading | None:
        silent = _age(values, "tradepost_shipper_heartbeat_seconds")
        if silent is None:
            return None
        return ShipperReading(
            silent,
            _age(values, "tradepost_shipper_served_seconds"),
            int(values["tradepost_shipper_waiting_entries"]),
            int(values["tradepost_shipper_in_flight_entries"]),
        )

    def _read_milter(self, values: dict[str, float]) -> MilterReading | None:
        silent = _age(values, "tradepost_milter_heartbeat_seconds")
        if silent is None:
            return None
        return MilterReading(
            silent,
            int(values["tradepost_milter_children"]),
            int(values["tradepost_milter_children_wanted"]),
            values["tradepost_milter_child_silence_seconds"],
            self._settings.milter.watchdog_seconds,
        )

    def collect(self) -> Iterator[Metric]:
        """Yield every number for /metrics: the processes' counts and what only a look can tell."""
        yield from self._counts.collect()
        readings = self.read()
        journal, directory = readings.journal, readings.directory
        gauges: list[tuple[str, str, float]] = [
            ("tradepost_journal_readable", "1: the journal can be read.", journal is not None),
            ("tradepost_directory_marked", "1: the directory has a generation mark.", directory is not None),
            (
                "tradepost_confirmation_assumed",
                "1: no mail log, acceptance is assumed.",
                readings.confirmation == "assumed",
            ),
        ]
        if journal is not None:
            gauges += [
                ("tradepost_journal_entries", "Entries waiting to be recorded.", journal.entries),
                ("tradepost_journal_oldest_seconds", "Age of the oldest entry.", journal.oldest_seconds),
                ("tradepost_journal_failed_entries", "Entries in failed/.", journal.failed),
                ("tradepost_journal_reserve_reached", "1: mail is not journaled.", journal.is_full),
            ]
        if directory is not None:
            gauges.append(
                ("tradepost_directory_age_seconds", "Since the projector's last word.", directory.age_seconds)
            )
        for name, help_text, value in gauges:
            yield GaugeMetricFamily(name, help_text, value=float(value))

    def describe(self) -> Iterator[Metric]:
        """Name no metric beforehand."""
        return iter(())


def _read_model(values: dict[str, float]) -> ModelReading | None:
    number = values.get("tradepost_site_model")
    return None if number is None else ModelReading(int(number), bool(values["tradepost_site_model_refused"]))


def _age(values: dict[str, float], name: str) -> float | None:
    at = values.get(name, 0.0)
    return max(0.0, time.time() - at) if at else None


def make_app(observer: Observer) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return the WSGI application: /metrics, /healthz (200; 503 when failing), 404 for the rest."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(observer)
    show_metrics: Any = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            result: Iterable[bytes] = show_metrics(environ, start_response)
            return result
        if path == "/healthz":
            health = judge(observer.read())
            return _answer(start_response, _STATUS_LINES[health.status], _render(health), "application/json")
        return _answer(start_response, "404 Not Found", b"/metrics or /healthz\n", "text/plain; charset=utf-8")

    return app


_STATUS_LINES = {Status.OK: "200 OK", Status.DEGRADED: "200 OK", Status.FAILING: "503 Service Unavailable"}


def _render(health: Health) -> bytes:
    return json.dumps(health.as_json(), indent=1).encode() + b"\n"


def _answer(start_response: StartResponse, status: str, body: bytes, content_type: str) -> list[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


class _Request(WSGIRequestHandler):
    timeout = 10  # seconds of silence; a client that says nothing must not hold a thread for ever

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("%s %s", self.address_string(), format % args)


class MetricsServer(socketserver.ThreadingMixIn, WSGIServer):
    """The listening socket; a thread per request."""

    daemon_threads = True

    def __init__(self, host: str, port: int, observer: Observer) -> None:
        """Listen.  Raises Refusal naming the address and what hinders."""
        try:
            self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            super().__init__((host, port), _Request)
        except OSError as error:
            raise Refusal(
                f"[metrics] {host}:{port}: can't listen: {error.strerror}; set metrics.host and metrics.port"
            ) from error
        self.set_app(make_app(observer))

    def server_bind(self) -> None:
        """Bind without http.server's reverse look-up, which waits for DNS."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{host}:{self.server_port}"


@click.command()
@click.pass_obj
def metrics(invocation: Invocation) -> None:
    """Serve /metrics (Prometheus) and /healthz (JSON)."""
    settings = invocation.settings
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with MetricsServer(settings.metrics.host, settings.metrics.port, Observer(settings)) as server:
        serving = threading.Thread(target=server.serve_forever, name="serve")
        serving.start()
        log.info("serving %s/metrics and %s/healthz as process %d", server.url, server.url, os.getpid())
        stop.wait()
        server.shutdown()
        serving.join()
    log.info("stopped")
