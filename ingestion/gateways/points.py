"""Points of OTLP metrics: sums as they are, histograms by their sum and never by their buckets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

from ingestion.gateways.otlp import Attributes, KeyValue, Resource, Scope, documents, flat, nanoseconds
from ingestion.records import Intake, Reader, Refused, Reject, Row, digest

_TEMPORALITY = {
    1: "delta", "1": "delta", "AGGREGATION_TEMPORALITY_DELTA": "delta",
    2: "cumulative", "2": "cumulative", "AGGREGATION_TEMPORALITY_CUMULATIVE": "cumulative",
}  # fmt: skip


class Point(msgspec.Struct):
    """One data point; a sum has asInt or asDouble, a histogram sum and count."""

    timeUnixNano: int | str
    startTimeUnixNano: int | str | None = None
    asInt: int | str | None = None
    asDouble: Decimal | None = None
    sum: Decimal | None = None
    count: int | str | None = None
    attributes: list[KeyValue] = []


class Points(msgspec.Struct):
    """The points of a metric and whether they add up (delta) or go on counting (cumulative)."""

    dataPoints: msgspec.Raw = msgspec.Raw(b"[]")
    aggregationTemporality: int | str | None = None


class Measured(msgspec.Struct):
    """One metric."""

    name: str = ""
    sum: Points | None = None
    histogram: Points | None = None


class ScopeMetrics(msgspec.Struct):
    """The metrics of one instrumentation."""

    scope: Scope | None = None
    metrics: list[Measured] = []


class ResourceMetrics(msgspec.Struct):
    """The metrics of one service."""

    resource: Resource | None = None
    scopeMetrics: list[ScopeMetrics] = []


class Metrics(msgspec.Struct):
    """A metrics document; others of the same folder have none of its field."""

    resourceMetrics: list[ResourceMetrics] = []


@dataclass(frozen=True)
class Metric:
    """A point with everything about it. `series` names what it continues; `temporality` is delta or cumulative."""

    name: str
    scope: str
    resource: Attributes
    attributes: Attributes
    temporality: str
    series: str
    started: datetime | None
    ended: datetime
    value: Decimal
    events: int | None

    def whole(self, field: str) -> int:
        """The value as a count. Refused before it got here when it is none."""
        return int(self.value)


def points(
    name: str, content: bytes, wanted: Sequence[str], row: Callable[[Metric], Row], rejects: list[Reject]
) -> list[Row]:
    """Points of the wanted metrics of a file as rows; those that cannot be read go to `rejects`."""
    intake = Intake(Reader(Point))
    found: list[Row] = []
    for document in documents(name, content, Metrics):
        for resource in document.resourceMetrics:
            about = flat(resource.resource.attributes) if resource.resource else {}
            for scope in resource.scopeMetrics:
                for metric in scope.metrics:
                    series = metric.histogram or metric.sum
                    if metric.name in wanted and series is not None:
                        good = intake.read(series.dataPoints, name)
                        place = scope.scope.name if scope.scope else ""
                        found += intake.accept(good, _row, row, metric.name, place, about, series.aggregationTemporality)
    rejects += intake.rejects
    return found


def _row(
    point: Point, row: Callable[[Metric], Row], name: str, scope: str, resource: Attributes, temporality: int | str | None
) -> Row:
    return row(_metric(point, name, scope, resource, temporality))


def _metric(point: Point, name: str, scope: str, resource: Attributes, temporality: int | str | None) -> Metric:
    kind = _TEMPORALITY.get(temporality) if temporality is not None else None
    if kind is None:
        raise Refused("missing_value", "aggregationTemporality", "neither delta nor cumulative")
    ended = nanoseconds(point.timeUnixNano, "timeUnixNano")
    if ended is None:
        raise Refused("missing_value", "timeUnixNano")
    value = point.sum if point.sum is not None else point.asDouble
    if value is None and point.asInt is not None:
        text = str(point.asInt)
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise Refused("wrong_type", "asInt", "expected a whole number from 0")
        value = Decimal(text)
    if value is None or not value.is_finite() or not 0 <= value < 10**15:
        raise Refused("missing_value" if value is None else "out_of_range", "value")
    if "token" in name and value != value.to_integral_value():
        raise Refused("wrong_type", "value", "tokens are whole")
    attributes = flat(point.attributes)
    events = str(point.count) if point.count is not None else ""
    return Metric(
        name, scope, resource, attributes, kind, digest(repr((name, scope, sorted(attributes.items()), sorted(resource.items()))))[:16],
        nanoseconds(point.startTimeUnixNano, "startTimeUnixNano"), ended, value,
        int(events) if events.isascii() and events.isdigit() and len(events) < 16 else None,
    )  # fmt: skip
