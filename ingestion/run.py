"""One dataset of one account, start to end: which windows are due, fetch them, land them, say what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ingestion import manifest
from ingestion.ahead import Ahead
from ingestion.catalog import BY_KEY, Dataset
from ingestion.client import Client
from ingestion.connectors import CONNECTORS, make_client
from ingestion.errors import ContractBroken, IngestionError, RequestRejected, SourceUnavailable
from ingestion.lake import Lake
from ingestion.landing import ensure_schema, land, land_failure
from ingestion.manifest import Delivery, ManifestWriter
from ingestion.records import Batch
from ingestion.source import SourceConfig
from ingestion.system import Connector
from ingestion.windows import DAY, Window, day_window, days, month_window, months, previous_month

# Chunks without an answer in a row after which the rest is not asked: each has cost all tries with their waits.
UNAVAILABLE_CHUNKS_TOLERATED = 2
# Kinds of windows of which the next is fetched while one is landed; of the others one may fill the memory by itself.
MANY_SMALL = ("day", "updated")

Progress = Callable[[str, int, int], None]
Answered = tuple[list[Window], Batch | IngestionError]


@dataclass
class IngestReport:
    """What one `ingest` did. Rows and rejects are those of the windows landed or found unchanged in this run.

    `absent`: months the vendor has not delivered (yet). `failed`: windows without an answer.
    """

    dataset: str
    account: str
    windows: int = 0
    rows: int = 0
    rejects: int = 0
    deliveries_new: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    pages: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    control_total: Decimal | None = None
    control_unit: str | None = None

    def count(self, delivery: Delivery, is_new: bool) -> None:
        """Add a landed window."""
        self.rows += delivery.rows
        self.rejects += delivery.rejects
        self.deliveries_new += is_new
        self.unchanged += not is_new
        if delivery.control_total is not None:
            self.control_total = (self.control_total or Decimal(0)) + Decimal(delivery.control_total)
            known = self.control_unit in (None, delivery.control_unit)
            self.control_unit = delivery.control_unit if known else "several currencies"


def plan_windows(
    dataset: Dataset | str,
    deliveries: Iterable[Delivery],
    start_date: date,
    as_of: datetime,
    day_range: tuple[date, date] | None = None,
    found: Sequence[Window] = (),
) -> list[Window]:
    """Windows due at `as_of`, oldest first.

    Days: those of the restatement window that ends with the last complete day, and any since `start_date` that were
    never completed, but none that the vendor has forgotten. Months: the open one, the restated ones, and any never
    completed. Snapshots: the day of `as_of`. `day_range` (first, last; both included) asks for exactly those days or
    the months they touch. Files: those of `found` whose version differs from the one landed. `deliveries` must be of
    one account.
    """
    found_dataset = BY_KEY[dataset] if isinstance(dataset, str) else dataset
    today = as_of.astimezone(UTC).date()
    landed = {d.window: d for d in manifest.current(deliveries)}
    if found_dataset.window == "snapshot":
        return [day_window(today)]
    if found_dataset.window == "file":
        return [w for w in found if w.key not in landed or landed[w.key].source_version != w.version]
    if found_dataset.window == "month":
        if day_range is not None:
            return [month_window(m) for m in months(*day_range)]
        restated = today.replace(day=1)
        for _ in range(found_dataset.restatement_days):
            restated = previous_month(restated)
        due = months(min(start_date, today), today)
        return [month_window(m) for m in due if m >= restated or f"{m:%Y-%m}" not in landed]
    history = found_dataset.history_days
    remembered = date.min if history is None else today - timedelta(days=history)
    if day_range is not None:
        return [day_window(d) for d in days(max(day_range[0], remembered), min(day_range[1] + DAY, today))]
    restated = today - timedelta(days=found_dataset.restatement_days)
    due_days = days(max(start_date, remembered), today)
    return [day_window(d) for d in due_days if d >= restated or d.isoformat() not in landed]


def ingest(
    dataset: Dataset | str,
    config: SourceConfig,
    lake: Lake,
    *,
    start_date: date,
    as_of: datetime,
    run_id: str,
    day_range: tuple[date, date] | None = None,
    progress: Progress | None = None,
    client: Client | None = None,
) -> IngestReport:
    """Fetch and land every due window of a dataset for one account. Running it again changes nothing but `checked_at`.

    A window without an answer becomes a `failed` line and its old delivery stays; the others are finished. The first
    error is then raised, with the report in its `report`. `progress` gets (dataset key, windows done, windows due).
    `as_of` is also the instant written as fetch time.
    """
    connector = CONNECTORS[dataset if isinstance(dataset, str) else dataset.key]
    job = _Job(connector, config, lake, as_of, run_id, progress)
    return job.run(start_date, day_range, client)


def named(error: IngestionError, dataset: Dataset, windows: Sequence[Window]) -> IngestionError:
    """The error, saying for which dataset and windows it was where its own words do not."""
    if dataset.key in str(error) and any(w.key in str(error) for w in windows):
        return error
    places = f"{windows[0].key}..{windows[-1].key}" if len(windows) > 1 else "".join(w.key for w in windows)
    return error.within(f"{dataset.key} {places}")


class _Job:
    """State of one `ingest`."""

    def __init__(
        self,
        connector: Connector,
        config: SourceConfig,
        lake: Lake,
        as_of: datetime,
        run_id: str,
        progress: Progress | None,
    ) -> None:
        self.connector = connector
        self.dataset = connector.dataset
        self.config = config
        self.as_of = as_of
        self.run_id = run_id
        self.progress = progress
        self.report = IngestReport(self.dataset.key, config.account)
        self.errors: list[IngestionError] = []
        self.ahead: Ahead[Answered] | None = None
        ensure_schema(lake, self.dataset)
        self.manifest = ManifestWriter(lake, self.dataset)
        self.deliveries = [d for d in manifest.read(lake, self.dataset) if d.account == config.account]

    def run(self, start_date: date, day_range: tuple[date, date] | None, client: Client | None) -> IngestReport:
        started = time.monotonic()
        own_client = client or make_client(self.config)
        waited = own_client.sleep

        def wait(seconds: float) -> None:
            # a run is most likely killed while it waits: what was fetched must be landed and written down by then
            if self.ahead is not None:
                self.ahead.catch_up()
            self.manifest.commit()
            waited(seconds)

        own_client.sleep = wait
        before = own_client.requests, own_client.retries
        try:
            windows = self._due(start_date, day_range)
            self.report.windows = len(windows)
            self._fetch_all(own_client, windows)
        finally:
            self.manifest.commit()
            own_client.sleep = waited
            if client is None:
                own_client.close()
            self.report.requests = own_client.requests - before[0]
            self.report.retries = own_client.retries - before[1]
            self.report.seconds = time.monotonic() - started
        if self.errors:
            first = self.errors[0]
            first.report = self.report
            raise first
        return self.report

    def _due(self, start_date: date, day_range: tuple[date, date] | None) -> list[Window]:
        find = self.connector.find
        if find is None:
            return plan_windows(self.dataset, self.deliveries, start_date, self.as_of, day_range)
        if self.dataset.window == "file":
            every = find(self.config, ())
            due = plan_windows(self.dataset, self.deliveries, start_date, self.as_of, found=every)
            self.report.skipped = len(every) - len(due)
            return due
        asked = plan_windows(self.dataset, self.deliveries, start_date, self.as_of, day_range)
        delivered = find(self.config, asked)
        self.report.absent = sorted({w.key for w in asked} - {w.key for w in delivered})
        landed = {d.window: d.source_version for d in manifest.current(self.deliveries)}
        due = [w for w in delivered if w.version is None or landed.get(w.key) != w.version]
        self.report.skipped = len(delivered) - len(due)
        return due

    def _fetch_all(self, client: Client, windows: Sequence[Window]) -> None:
        answers = self._answers(client, windows)
        if self.dataset.window in MANY_SMALL:
            self.ahead = Ahead(answers)
        for answered, answer in self.ahead or answers:
            if isinstance(answer, IngestionError):
                self._fail(answered, answer)
            else:
                self._land(answered[0], answer)

    def _answers(self, client: Client, windows: Sequence[Window]) -> Generator[Answered, None, None]:
        """A window with what was fetched for it, or windows with why nothing was."""
        unavailable = 0
        chunks = _chunks(windows, self.dataset.range_days)
        while chunks:
            chunk = chunks.pop(0)
            left = {w.key: w for w in chunk}
            try:
                for window, batch in self.connector.fetch(client, self.config, chunk):
                    del left[window.key]
                    yield [window], batch
                unavailable = 0
            except ContractBroken as error:
                # a bad day must not take the other days of its range with it
                if self.dataset.window == "day" and len(left) > 1:
                    waiting = list(left.values())
                    half = len(waiting) // 2
                    chunks[:0] = [waiting[:half], waiting[half:]]
                    continue
                yield list(left.values()), error
            except SourceUnavailable as error:
                yield list(left.values()), error
                unavailable += 1
                if unavailable >= UNAVAILABLE_CHUNKS_TOLERATED:
                    yield [w for rest in chunks for w in rest], error
                    return
            except RequestRejected as error:
                yield [*left.values(), *(w for rest in chunks for w in rest)], error
                return

    def _land(self, window: Window, batch: Batch) -> None:
        try:
            delivery, is_new = land(
                self.manifest, window, batch, account=self.config.account, run_id=self.run_id, fetched_at=self.as_of
            )
        except ContractBroken as error:
            self._fail([window], error)
            return
        self.report.pages += delivery.pages
        self.report.count(delivery, is_new)
        self._tell()

    def _fail(self, windows: Sequence[Window], error: IngestionError) -> None:
        error = named(error, self.dataset, windows)
        for window in windows:
            land_failure(
                self.manifest, window, error, account=self.config.account, run_id=self.run_id, at=self.as_of
            )
            self.report.failed.append(window.key)
            self._tell()
        self.errors.append(error)

    def _tell(self) -> None:
        if self.progress is not None:
            done = self.report.deliveries_new + self.report.unchanged + len(self.report.failed)
            self.progress(self.dataset.key, done, self.report.windows)


def _chunks(windows: Sequence[Window], range_days: int) -> list[list[Window]]:
    """Runs of windows that follow one another without a gap, at most `range_days` long."""
    chunks: list[list[Window]] = []
    for window in windows:
        last = chunks[-1] if chunks else None
        if last and last[-1].end == window.start and len(last) < range_days and window.end > window.start:
            last.append(window)
        else:
            chunks.append([window])
    return chunks
