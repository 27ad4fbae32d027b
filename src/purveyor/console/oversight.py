"""What monitoring reads without a token: `/healthz`, and `/metrics` in the format of Prometheus. Counts only: no names, no ids.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial

import anyio.to_thread
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from purveyor import __version__
from purveyor.site_server.admin import https_pins, points, resources
from purveyor.site_server.custody import keys
from purveyor.site_server.executive import DOUBTFUL, Executive
from purveyor.site_server.model.site_clock import in_words
from purveyor.site_server.site import Site
from purveyor.site_server.storage import low_room
from purveyor.wire.errors import UnavailableError

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STANDSTILL = timedelta(minutes=10)
"""A component that took no turn for so long stands still: something holds the executive up."""
DOUBT_TOLD = timedelta(days=1)


class Oversight:
    """Health and metrics of one running site."""

    def __init__(self, site: Site, executive: Executive, requests: Mapping[str, int]) -> None:
        self._site, self._executive = site, executive
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(SiteMetrics(site, executive, requests))

    async def health(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers whether the site works: 200, or 503 with what does not."""
        troubles = await anyio.to_thread.run_sync(self.troubles)
        warnings = await anyio.to_thread.run_sync(partial(self.warnings, is_https=scope["scheme"] == "https"))
        said = {"status": "failing" if troubles else "ok", "troubles": troubles, "warnings": warnings, "version": __version__}
        content = json.dumps(said)
        answer = Response(content, 503 if troubles else 200, {"Cache-Control": "no-store"}, "application/json")
        await answer(scope, receive, send)

    async def metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with all metrics."""
        content = await anyio.to_thread.run_sync(generate_latest, self._registry)
        await Response(content, 200, {"Cache-Control": "no-store", "Content-Type": METRICS_TYPE})(scope, receive, send)

    def warnings(self, *, is_https: bool) -> list[str]:
        """What works now and soon will not, or not for all: a full disk, metadata that expires, points that fail."""
        found = low_room(self._site.folders())
        with suppress(UnavailableError), self._site.database.read() as tx:
            found += [alarm.text for alarm in keys.alarms_of(tx, self._site.clock())]
            looked_for = https_pins.looked_for(tx)
            found += [https_pins.UNSERVED.format(looked_for)] * bool(looked_for and not is_https)
            found += failing_points(points.counted(tx))
        if self._executive.clock_doubt >= DOUBT_TOLD:
            found.append(f"clock: {DOUBTFUL.format(in_words(self._executive.clock_doubt))}")
        return found

    def troubles(self) -> list[str]:
        """What does not work now, by component; why stands in the log."""
        try:
            self._site.settings()
        except UnavailableError:
            return ["database"]
        return troubles_of(self._executive, self._site)


class SiteMetrics(Collector):
    """Reads a site's numbers whenever somebody asks for them."""

    def __init__(self, site: Site, executive: Executive, requests: Mapping[str, int]) -> None:
        self._site, self._executive, self._requests = site, executive, requests

    def collect(self) -> Iterator[Metric]:
        """All metrics, as they are now."""
        yield from self._components()
        yield from self._clients()
        yield from self._points()
        yield from self._keys()
        for name, amount in sorted(self._executive.totals.copy().items()):
            yield CounterMetricFamily(f"purveyor_{name}", f"{name.replace('_', ' ').capitalize()} since the start.", value=amount)
        requests = CounterMetricFamily(
            "purveyor_http_requests", "Requests since the start, by the part that serves them.", labels=["part"]
        )
        for part, amount in sorted(self._requests.items()):
            requests.add_metric([part], amount)
        yield requests

    def _clients(self) -> Iterator[Metric]:
        """Nothing when the database cannot be asked: the rest is shown all the same."""
        found = GaugeMetricFamily("purveyor_clients", "Clients by state.", labels=["state"])
        with suppress(UnavailableError), self._site.database.read() as tx:
            for state, amount in sorted(resources.counts(tx).items()):
                found.add_metric([state], amount)
        yield found

    def _points(self) -> Iterator[Metric]:
        """Nothing when the database cannot be asked."""
        found = GaugeMetricFamily("purveyor_points", "Points by how the site's turns there go.", labels=["state"])
        with suppress(UnavailableError), self._site.database.read() as tx:
            for state, amount in points.counted(tx).items():
                found.add_metric([state], amount)
        yield found

    def _keys(self) -> Iterator[Metric]:
        """When metadata expires, and which of it nothing on the server can renew."""
        expires = GaugeMetricFamily(
            "purveyor_role_expires_timestamp_seconds", "When the first metadata of a role expires.", labels=["role", "key"]
        )
        alarms = GaugeMetricFamily(
            "purveyor_role_alarm_days",
            "Metadata whose key is not on the server expires within so many days: 60, 30, 7, or 0 when it has.",
            labels=["role"],
        )
        with suppress(UnavailableError), self._site.database.read() as tx:
            now = self._site.clock()
            for view in keys.listed(tx, now):
                if view.expires_at is not None:
                    expires.add_metric([view.role, view.place], view.expires_at.timestamp())
            for alarm in keys.alarms_of(tx, now):
                alarms.add_metric([alarm.role], alarm.within_days)
        yield expires
        yield alarms

    def _components(self) -> Iterator[Metric]:
        failures = GaugeMetricFamily(
            "purveyor_component_failures",
            "Turns of a component that failed one after the other; 0 is well.",
            labels=["component"],
        )
        turned = GaugeMetricFamily(
            "purveyor_component_turn_timestamp_seconds", "When a component took its last turn.", labels=["component"]
        )
        for health in self._executive.health.copy().values():
            failures.add_metric([health.component], health.failures)
            turned.add_metric([health.component], health.last_turn_at.timestamp())
        yield failures
        yield turned


def failing_points(by_state: Mapping[str, int]) -> list[str]:
    """The warning of points at which the site's turns fail; empty where all are well."""
    failing = {state: amount for state, amount in by_state.items() if amount and state != points.WELL}
    kinds = ", ".join(f"{state} {amount}" for state, amount in failing.items())
    return [f"points: {sum(failing.values())} of {sum(by_state.values())} failing ({kinds})"] if failing else []


def troubles_of(executive: Executive, site: Site) -> list[str]:
    """The components that fail, or have taken no turn for long."""
    now = site.clock()
    return sorted(
        health.component
        for health in executive.health.copy().values()
        if health.failures or now - health.last_turn_at > STANDSTILL
    )
