"""Wrong payloads of every source: each record is accepted or rejected with a reason, nothing is lost without a word.

The sandbox's answers are recorded once per dataset; each example spoils one of them and fetches again. Fifty faults a source
here, two thousand in `make soak` (AISL_HOSTILE overrides). A fault may stop the window, with a message that names dataset and
window, or show in rejects; it never raises anything else, and control totals are always those of the accepted records.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from ingestion.catalog import BY_KEY, DATASETS, Dataset
from ingestion.client import Answer, Call, Client
from ingestion.connectors import CONNECTORS, make_client
from ingestion.errors import IngestionError, SourceUnavailable
from ingestion.files import folder
from ingestion.lake import LocalLake
from ingestion.landing import land
from ingestion.manifest import ManifestWriter
from ingestion.records import Batch, exact_sum
from ingestion.run import named
from ingestion.source import SourceConfig
from ingestion.windows import Window, day_window, month_window
from orchestration.settings import load_settings
from sandbox.server import running
from tests.hostile.spoil import RECORD_KINDS, Plan, Wrong, plans, spoiled

FAULTS_PER_SOURCE = int(os.environ.get("AISL_HOSTILE", "50"))
AT = datetime(2026, 10, 20, 6, tzinfo=UTC)
OUTCOMES = ("faults", "read in full", "read with rejects", "refused answers")
# The package of list prices is no vendor's answer.
SPOILED = [d.key for d in DATASETS if d.source != "prices"]
# Fields by which a record is told from those of another kind in the same list, which are left out without a reject.
# Telemetry is anybody's: what is no span, log record or data point of a model call is passed over.
_TELEMETRY = (
    "scope", "scopeSpans", "spans", "scopeMetrics", "metrics", "scopeLogs", "logRecords", "name", "attributes", "key", "value",
    "stringValue", "body", "sum", "gauge", "histogram", "dataPoints",
)  # fmt: skip
SAYS_WHAT_IT_IS: dict[str, tuple[str, ...]] = {
    "linear__attachments": ("url",),
    # An entry of which nothing changed is one about something else.
    "linear__issue_history": tuple(f"{side}{name}Id" for side in ("from", "to") for name in ("State", "Assignee", "Cycle", "Team")),
    "langfuse__observations": ("type",),
    "jira__changelog": ("field", "fieldId"),
    "otel__spans": _TELEMETRY,
    "otel__token_usage": _TELEMETRY,
    "claude_code_otel__api_requests": _TELEMETRY,
    "claude_code_otel__token_usage": _TELEMETRY,
}

Outcomes = dict[str, Counter[str]]


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Outcomes]:
    """What came of the faults, by source; printed at the end (`pytest -s`, as in `make soak`)."""
    found: Outcomes = defaultdict(Counter)
    yield found
    for source, counts in sorted(found.items()):
        print(f"\nhostile {source}: " + ", ".join(f"{counts[name]:,} {name}" for name in OUTCOMES), end="")
    print()


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[SourceConfig]]:
    """The sandbox company's accounts."""
    with running(tmp_path_factory.mktemp("state"), days=20, scale=0.02) as environment:
        found = load_settings({**environment, "AISL_HOME": str(tmp_path_factory.mktemp("home"))})
        yield [a for a in found.accounts if a.is_on()]


def _asked(call: Call) -> str:
    return json.dumps([call.method, call.path, call.params, call.body], default=str)


@dataclass
class Recorded:
    """One dataset's windows with the answers they were read from, and what came of them."""

    dataset: Dataset
    config: SourceConfig
    windows: list[Window]
    answers: dict[str, Answer]
    files: dict[str, bytes]
    good: list[tuple[Window, Batch]]

    def payloads(self) -> dict[str, bytes]:
        """Everything that was read: answers by question, files by name."""
        return {**{key: answer.content for key, answer in self.answers.items()}, **self.files}

    def spoiled(self, plan: Plan) -> tuple[dict[str, bytes], Wrong] | None:
        """The payloads with the plan's fault in one of them and what was done, or None where it has no place."""
        payloads = self.payloads()
        name = sorted(payloads)[plan.payload % len(payloads)]
        wrong = spoiled(payloads[name], plan, name)
        return None if wrong is None else ({**payloads, name: wrong.content}, wrong)

    def fetch(self, payloads: dict[str, bytes], patch: pytest.MonkeyPatch) -> list[tuple[Window, Batch]]:
        """Fetch again, from these payloads. A call that was never recorded gets no answer."""

        def send(_: Client, call: Call, context: str = "") -> Answer:
            answer = self.answers.get(_asked(call))
            if answer is None:
                raise SourceUnavailable(tried=f"{context}: {call.path}", found="no answer", to_do="run again")
            return Answer(payloads[_asked(call)], answer.headers, answer.url)

        for kind in (folder.LocalFolder, folder.S3Folder):
            patch.setattr(kind, "read", lambda _, name: payloads[name])
            patch.setattr(kind, "head", lambda _, name: payloads[name][: folder.HEAD_BYTES])
        patch.setattr(folder.S3Folder, "read_key", lambda _, key: payloads[key])
        patch.setattr(Client, "send", send)
        client = Client(base_url="http://127.0.0.1", sleep=lambda _: None)
        return list(CONNECTORS[self.dataset.key].fetch(client, self.config, self.windows))


def _windows(dataset: Dataset, config: SourceConfig) -> list[Window]:
    connector = CONNECTORS[dataset.key]
    today = day_window(AT.date())
    if dataset.window == "month":
        wanted = [month_window(AT.date())]
    elif dataset.window == "snapshot":
        wanted = [today]
    else:
        wanted = [day_window((AT - timedelta(days=back)).date()) for back in (3, 2, 1)][-max(dataset.range_days, 1) :]
    return (connector.find(config, wanted) if connector.find else wanted)[:3]


@pytest.fixture(scope="module")
def recorded(accounts: list[SourceConfig]) -> dict[str, Recorded]:
    """Every dataset's recorded answers, from the first account that has some. What the sandbox does not serve is missing."""
    found = {}
    for key in SPOILED:
        dataset = BY_KEY[key]
        asked = ((config, _windows(dataset, config)) for config in accounts if config.source == dataset.source)
        config, windows = next(((config, windows) for config, windows in asked if windows), (None, []))
        if config is None:
            continue
        files: dict[str, bytes] = {}
        answers: dict[str, Answer] = {}
        with pytest.MonkeyPatch.context() as patch, make_client(config) as client:
            client.sleep = lambda _: None
            for kind in (folder.LocalFolder, folder.S3Folder):
                patch.setattr(kind, "read", _keeping(kind.read, files))
            patch.setattr(folder.S3Folder, "read_key", _keeping(folder.S3Folder.read_key, files))
            patch.setattr(Client, "send", _recording(Client.send, answers))
            good = list(CONNECTORS[key].fetch(client, config, windows))
        found[key] = Recorded(dataset, config, windows, answers, files, good)
    return found


def _recording(send: Any, answers: dict[str, Answer]) -> Any:
    def record(self: Client, call: Call, context: str = "") -> Answer:
        answer = send(self, call, context)
        answers[_asked(call)] = answer
        return answer

    return record


def _keeping(read: Any, files: dict[str, bytes]) -> Any:
    def keep(self: Any, name: str) -> bytes:
        files[name] = read(self, name)
        return files[name]

    return keep


def test_every_source_of_the_sandbox_is_recorded(recorded: dict[str, Recorded]) -> None:
    assert len(recorded) >= 20
    empty = [key for key, seen in recorded.items() if not seen.answers and not seen.files]
    assert empty == []


@pytest.mark.parametrize("key", SPOILED)
def test_wrong_payloads(
    key: str, recorded: dict[str, Recorded], outcomes: Outcomes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if key not in recorded:
        pytest.skip("the sandbox has nothing of it")
    _campaign(recorded[key], _share(key, FAULTS_PER_SOURCE, recorded), tmp_path_factory.mktemp("lake"), outcomes)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("key", SPOILED)
def test_two_thousand_wrong_payloads(
    key: str, recorded: dict[str, Recorded], outcomes: Outcomes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if key not in recorded:
        pytest.skip("the sandbox has nothing of it")
    _campaign(recorded[key], _share(key, 2000, recorded), tmp_path_factory.mktemp("lake"), outcomes)


def _share(key: str, faults: int, recorded: dict[str, Recorded]) -> int:
    """A dataset's part of the faults of its source."""
    return -(-faults // sum(r.dataset.source == recorded[key].dataset.source for r in recorded.values()))


def _campaign(seen: Recorded, faults: int, folder_of_lakes: Path, outcomes: Outcomes) -> None:
    @settings(
        max_examples=faults,
        deadline=None,
        derandomize=True,
        database=None,
        # A plan is small and names itself; shrinking one costs more than the campaign.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(plans)
    def holds(plan: Plan) -> None:
        found = seen.spoiled(plan)
        assume(found is not None)
        assert found is not None
        payloads, wrong = found
        outcome = outcomes[seen.dataset.source]
        outcome["faults"] += 1
        with pytest.MonkeyPatch.context() as patch:
            try:
                batches = seen.fetch(payloads, patch)
            except IngestionError as error:
                _names_what_failed(seen, str(named(error, seen.dataset, seen.windows)))
                outcome["refused answers"] += 1
                return
        rejects_before, rejects = _counted(seen.good)[1], _counted(batches)[1]
        outcome["read with rejects" if rejects > rejects_before else "read in full"] += 1
        _check(seen, plan, wrong, batches, folder_of_lakes)

    holds()


def _names_what_failed(seen: Recorded, message: str) -> None:
    assert seen.dataset.key in message, message
    places = [w.key for w in seen.windows] + [w.locator for w in seen.windows if w.locator]
    assert any(place in message for place in places), message


def _check(
    seen: Recorded, plan: Plan, wrong: Wrong, batches: Sequence[tuple[Window, Batch]], folder_of_lakes: Path
) -> None:
    column = seen.dataset.control_column
    rows_before, rejects_before = _counted(seen.good)
    rows, rejects = _counted(batches)
    for _, batch in batches:
        if column is not None and batch.control_total is not None:
            assert batch.control_total == exact_sum(batch.records.get_column(column))
        for reject in batch.rejects:
            assert reject.reason, reject
            assert reject.detail is None or "9" * 60 not in reject.detail, "a reject must not carry the record's text"
    is_of_another_kind = wrong.field in SAYS_WHAT_IT_IS.get(seen.dataset.key, ())
    if rows < rows_before and not wrong.is_untold and not is_of_another_kind:
        assert rejects > rejects_before, f"{plan}: {rows_before - rows} rows are gone without a reject"
    if plan.kind in RECORD_KINDS:
        assert rows + rejects >= rows_before + rejects_before
    if plan.kind == "duplicated" and rows > rows_before:
        _lands_or_says_why(seen, batches, folder_of_lakes)


def _counted(batches: Sequence[tuple[Window, Batch]]) -> tuple[int, int]:
    return sum(b.records.height for _, b in batches), sum(len(b.rejects) for _, b in batches)


def _lands_or_says_why(seen: Recorded, batches: Sequence[tuple[Window, Batch]], folder_of_lakes: Path) -> None:
    """A repeated record with an identity becomes a reject, or stops the delivery when there are many."""
    manifest = ManifestWriter(LocalLake(str(folder_of_lakes)), seen.dataset)
    for window, batch in batches:
        try:
            delivery, _ = land(manifest, window, batch, account="default", run_id="hostile", fetched_at=AT)
        except IngestionError as error:
            _names_what_failed(seen, str(named(error, seen.dataset, [window])))
            return
        assert delivery.rows + delivery.rejects == batch.records.height + len(batch.rejects)
        if seen.dataset.identity:
            assert delivery.rows <= batch.records.height


def test_the_faults_are_real() -> None:
    """A payload spoiled in every way differs from the good one, so that no campaign runs over unchanged answers."""
    content = json.dumps({"data": [{"a": 1, "b": "2"}, {"a": 3, "b": "4"}]}).encode()
    for kind in ("missing", "null", "wrong type", "huge", "negative", "NaN", "unknown field", "duplicated", "truncated"):
        assert spoiled(content, Plan(kind, 0, 0, 0, 0)) is not None, kind
