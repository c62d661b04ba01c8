"""What a gate is, and the only importer of Great Expectations.

A gate asks one query for one row of numbers and has Great Expectations judge them and write its data docs. Rows that
explain a verdict are fetched only when it is bad.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration import warehouse
from orchestration.resources import WAREHOUSE_POOL
from orchestration.settings import Settings


@dataclass(frozen=True)
class Expectation:
    """One number of the profile and what it must be. `evidence`: a query of the rows behind a bad number."""

    name: str
    meaning: str
    to_do: str
    minimum: float | None = None
    maximum: float | None = None
    evidence: str | None = None
    is_blocking: bool = True

    @property
    def wanted(self) -> str:
        """The allowed range in words."""
        if self.minimum is not None and self.minimum == self.maximum:
            return f"exactly {self.minimum:g}"
        low = [] if self.minimum is None else [f"at least {self.minimum:g}"]
        return " and ".join(low + ([] if self.maximum is None else [f"at most {self.maximum:g}"]))


@dataclass(frozen=True)
class Gate:
    """A door of the pipeline: checked on one asset, which everything behind the door depends on."""

    name: str
    asset: dg.AssetKey
    profile: str
    expectations: Sequence[Expectation] = field(default_factory=tuple)


@dataclass(frozen=True)
class Verdict:
    """What one expectation came to. `value` is None when the profile gave no number, which is never a pass."""

    expectation: Expectation
    value: float | None
    passed: bool
    rows: list[dict[str, Any]]


def gate_checks(gate: Gate) -> dg.AssetChecksDefinition:
    """The gate as checks of its asset, one per expectation; blocking ones stop everything behind the door."""

    @dg.multi_asset_check(
        name=f"gate_{gate.name}",
        specs=[
            dg.AssetCheckSpec(
                name=f"{gate.name}_{e.name}", asset=gate.asset, blocking=e.is_blocking, description=e.meaning
            )
            for e in gate.expectations
        ],
        pool=WAREHOUSE_POOL,
    )
    def run_gate(settings: dg.ResourceParam[Settings]) -> Iterator[dg.AssetCheckResult]:
        verdicts, seconds = judge(gate, settings)
        for verdict in verdicts:
            e = verdict.expectation
            yield dg.AssetCheckResult(
                asset_key=gate.asset,
                check_name=f"{gate.name}_{e.name}",
                passed=verdict.passed,
                severity=dg.AssetCheckSeverity.ERROR if e.is_blocking else dg.AssetCheckSeverity.WARN,
                description=None if verdict.passed else describe(verdict),
                metadata={
                    "value": "none" if verdict.value is None else verdict.value,
                    "wanted": e.wanted,
                    # The gate asks once for all its numbers.
                    "seconds": round(seconds / len(verdicts), 4),
                    **({"rows": dg.MetadataValue.json(verdict.rows)} if verdict.rows else {}),
                },
            )

    return run_gate


def describe(verdict: Verdict) -> str:
    """What was expected, what was found and what to do."""
    e = verdict.expectation
    examples = "; ".join(", ".join(f"{k}={v}" for k, v in row.items()) for row in verdict.rows[:3])
    found = "no number" if verdict.value is None else f"{verdict.value:g}"
    return f"{e.meaning}: found {found}, wanted {e.wanted}." + (f" {examples}." if examples else "") + f" {e.to_do}"


def judge(gate: Gate, settings: Settings) -> tuple[list[Verdict], float]:
    """Ask the profile, let Great Expectations judge it, fetch examples of what is bad. Also the seconds of the profile."""
    with warehouse.session(settings, read_only=True) as connection:
        begun = time.monotonic()
        cursor = connection.execute(gate.profile)
        names = [c[0] for c in cursor.description or ()]
        row = cursor.fetchone()
        seconds = time.monotonic() - begun
        profile = {n: None if v is None else float(v) for n, v in zip(names, row or (None,) * len(names), strict=True)}
        passed = _validate(gate, profile, settings.home / "data_docs")
        verdicts = []
        for e in gate.expectations:
            rows: list[dict[str, Any]] = []
            if not passed[e.name] and e.evidence:
                found = connection.execute(e.evidence)
                columns = [c[0] for c in found.description or ()]
                rows = [dict(zip(columns, map(str, r), strict=True)) for r in found.fetchmany(10)]
            verdicts.append(Verdict(e, profile.get(e.name), passed[e.name], rows))
    return verdicts, seconds


def load() -> None:
    """Import Great Expectations now: it takes seconds, and other things can be waited for meanwhile."""
    import great_expectations  # noqa: F401


def _validate(gate: Gate, profile: dict[str, float | None], docs: Path) -> dict[str, bool]:
    import logging

    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    docs.mkdir(parents=True, exist_ok=True)
    context.add_data_docs_site(
        site_name="gates",
        site_config={
            "class_name": "SiteBuilder",
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(docs / gate.name),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    batch = context.data_sources.add_pandas(gate.name).add_dataframe_asset(gate.name)
    suite = context.suites.add(gx.ExpectationSuite(name=gate.name))
    for e in gate.expectations:
        # "between" passes over nulls, so the number has to be there first.
        suite.add_expectation(gx.expectations.ExpectColumnValuesToNotBeNull(column=e.name))
        suite.add_expectation(
            gx.expectations.ExpectColumnValuesToBeBetween(
                column=e.name, min_value=e.minimum, max_value=e.maximum, meta={"notes": f"{e.meaning}. {e.to_do}"}
            )
        )
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name=gate.name, data=batch.add_batch_definition_whole_dataframe(gate.name), suite=suite
        )
    )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=gate.name,
            validation_definitions=[definition],
            actions=[gx.checkpoint.UpdateDataDocsAction(name="docs", site_names=["gates"])],
            result_format="BASIC",
        )
    )
    outcome = checkpoint.run(batch_parameters={"dataframe": pd.DataFrame([profile], dtype="float64")})
    passed = {e.name: True for e in gate.expectations}
    for result in next(iter(outcome.run_results.values())).results:
        if result.expectation_config is None:
            raise RuntimeError(f"gate {gate.name}: Great Expectations gave a verdict without naming its expectation")
        column = result.expectation_config.kwargs["column"]
        passed[column] = passed[column] and bool(result.success)
    return passed
