"""dbt inside the asset's process: parse once, build one stage, say what happened in words.

`dbtRunner` costs a fifth of a dbt process per stage; the price is that the DuckDB file must be released by hand.
"""

from __future__ import annotations

import functools
import graphlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestion.catalog import DATASETS
from orchestration.resources import lake_of
from orchestration.settings import DBT_PROJECT, Settings
from orchestration.warehouse import files_digest, seed_folders, sources_on

STAGES: tuple[str, ...] = ("focus", "ledger", "marts", "decisions")
# The project counts as built once the ledger is; a run killed after that may have left the later stages unbuilt.
_REMEMBERED = ("focus", "ledger")
# Models of one source are small and have many tests; later ones are large, and two at once would share one memory limit.
_MODELS_AT_ONCE = {"focus": 2}


class DbtProjectBroken(RuntimeError):
    """The dbt project could not be parsed or a stage could not start. The message carries dbt's own words."""


@dataclass(frozen=True)
class NodeResult:
    """What one dbt node did. `failures`: rows a test found; `evidence`: compiled SQL of a test, as a path."""

    unique_id: str
    resource_type: str
    status: str
    seconds: float
    message: str
    failures: int | None
    evidence: str | None

    @property
    def is_test(self) -> bool:
        return self.resource_type == "test"

    @property
    def is_skipped(self) -> bool:
        return self.status == "skipped"

    @property
    def has_failed(self) -> bool:
        return self.status in ("error", "fail", "runtime error")


def manifest(settings: Settings, *, every_source: bool = False) -> dict[str, Any]:
    """The parsed project as dbt writes it; parsed again only when a file of the project or the sources that are on changed.

    `every_source`: as it will be once all sources are on. Raises DbtProjectBroken with dbt's message.
    """
    sources = sorted({dataset.source for dataset in DATASETS}) if every_source else _sources(settings)
    digest = _parse_digest(settings, sources)
    stamp = settings.dbt_target_dir / "parsed.txt"
    path = settings.dbt_target_dir / "manifest.json"
    if not path.is_file() or not stamp.is_file() or stamp.read_text(encoding="utf-8") != digest:
        # Written by the parse, so an object kept from another home is not enough.
        _PARSED.pop(digest, None)
        _parsed(settings, sources)
        stamp.write_text(digest, encoding="utf-8")
    return _read_manifest(path, digest)


def parse(settings: Settings) -> None:
    """Read the project now, so that no stage of this process has to. Raises DbtProjectBroken."""
    _parsed(settings, _sources(settings))


def build(settings: Settings, stage: str, *, full_refresh: bool) -> list[NodeResult]:
    """Build one stage with its tests and release the warehouse file.

    Tests that read two stages run in the later one. Without `full_refresh` the project is the one last built, so seeds
    and views up to the ledger are there already and are reported as kept. Raises DbtProjectBroken when dbt could not
    start at all; failed models and tests are results, not errors.
    """
    keeps = not full_refresh and stage in _REMEMBERED
    options = [*selection(stage, keeps=keeps), "--threads", str(_MODELS_AT_ONCE.get(stage, 1))]
    results = invoke(settings, ["build", *options, *(["--full-refresh"] if full_refresh else [])])
    return _with_kept(_parsed(settings, _sources(settings)), stage, results) if keeps else results


def invoke(settings: Settings, arguments: list[str]) -> list[NodeResult]:
    """Run dbt with a command and its options on the parsed project and release the warehouse file. Raises DbtProjectBroken."""
    from dbt.cli.main import dbtRunner

    # The manifest is written by the parse; writing it again for every stage costs more than most models.
    whole = [*_quiet(settings), *arguments, "--no-write-json", *_project(settings)]
    sources = _sources(settings)
    parsed = _parsed(settings, sources)
    with _environment(_variables(settings, sources)), _released_file():
        outcome = dbtRunner(manifest=parsed).invoke(whole)
    if outcome.exception is not None or outcome.result is None:
        raise DbtProjectBroken(f"dbt could not do {' '.join(arguments)}: {outcome.exception}")
    return [_node_result(r) for r in outcome.result.results]  # type: ignore[union-attr]


def selection(stage: str, *, keeps: bool) -> list[str]:
    """dbt's options for what a stage builds. With `keeps`, seeds and views are left as built; what no changed row can fail,
    tests on seeds alone, is left out."""
    if keeps:
        return ["--selector", f"{stage}_kept"]
    return ["--select", f"tag:{stage}", "--indirect-selection", "buildable", "--exclude-resource-type", "unit_test"]


def listed(settings: Settings, options: list[str]) -> list[str]:
    """Names of the nodes that these selection options mean, without building any."""
    from dbt.cli.main import dbtRunner

    sources = _sources(settings)
    parsed = _parsed(settings, sources)
    with _environment(_variables(settings, sources)), _released_file():
        outcome = dbtRunner(manifest=parsed).invoke([*_quiet(settings), "list", *options, *_project(settings)])
    if not outcome.success:
        raise DbtProjectBroken(f"dbt could not list {options}: {outcome.exception}")
    return [str(name) for name in outcome.result]  # type: ignore[union-attr]


def published_names(parsed: Mapping[str, Any]) -> dict[str, str]:
    """`schema.name` of the published view → `schema.name` in the warehouse, from `meta.published_as`."""
    found: dict[str, str] = {}
    for node in parsed["nodes"].values():
        meta = node.get("config", {}).get("meta") or node.get("meta") or {}
        if "published_as" in meta:
            found[meta["published_as"]] = f"{node['schema']}.{node['alias']}"
    return dict(sorted(found.items()))


def descriptions(parsed: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    """Published name → description of the relation and of its columns."""
    by_relation = {
        f"{n['schema']}.{n['alias']}": (n["description"], {c["name"]: c["description"] for c in n["columns"].values()})
        for n in parsed["nodes"].values()
        if n["resource_type"] in ("model", "seed")
    }
    return {name: by_relation[relation] for name, relation in published_names(parsed).items()}


def contract_columns(parsed: Mapping[str, Any], model: str) -> dict[str, str]:
    """Column → data type as the model's contract declares it."""
    node = next(n for n in parsed["nodes"].values() if n["name"] == model and n["resource_type"] == "model")
    return {c["name"]: "varchar" if c["data_type"] == "string" else c["data_type"] for c in node["columns"].values()}


def explain(results: list[NodeResult]) -> str:
    """What failed, how much, where to look and what to do; empty when nothing failed."""
    lines: list[str] = []
    for result in results:
        if not result.has_failed:
            continue
        name = result.unique_id.split(".")[2]
        lines.append(f"{result.resource_type} {name}: {result.message}")
        if result.failures:
            lines.append(f"  {result.failures} failing rows")
        if result.evidence:
            lines.append(f"  see the rows: run the query in {result.evidence} against the warehouse")
    skipped = sum(r.is_skipped for r in results)
    if lines and skipped:
        lines.append(f"{skipped} nodes after it were skipped")
    return "\n".join(lines)


@functools.lru_cache(maxsize=2)
def _read_manifest(path: Path, digest: str) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


_PARSED: dict[str, Any] = {}


def _sources(settings: Settings) -> list[str]:
    return sources_on(settings, lake_of(settings))


def _parsed(settings: Settings, sources: list[str]) -> Any:
    """dbt's manifest object, kept for the later stages of this process so that only the first one parses."""
    digest = _parse_digest(settings, sources)
    if digest not in _PARSED:
        from dbt.cli.main import dbtRunner

        settings.dbt_target_dir.mkdir(parents=True, exist_ok=True)
        with _environment(_variables(settings, sources)), _released_file():
            outcome = dbtRunner().invoke([*_quiet(settings), "parse", *_project(settings)])
        if not outcome.success:
            raise DbtProjectBroken(f"dbt could not parse {DBT_PROJECT.name}: {outcome.exception}")
        _PARSED.clear()
        _PARSED[digest] = outcome.result
    return _PARSED[digest]


def _parse_digest(settings: Settings, sources: list[str]) -> str:
    folders = [DBT_PROJECT / f for f in ("models", "macros", "tests")] + seed_folders(settings)
    text = files_digest(folders, (".sql", ".csv", ".yml"))
    project = (DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8")
    profiles = (DBT_PROJECT / "profiles.yml").read_text(encoding="utf-8")
    selectors = (DBT_PROJECT / "selectors.yml").read_text(encoding="utf-8")
    # Paths are left out: the parsed project is the same wherever the warehouse lies.
    chosen = f"{settings.profile} {settings.company_seeds} {sources}"
    return f"{text} {hashlib.sha256((project + profiles + selectors + chosen).encode()).hexdigest()[:16]}"


def _variables(settings: Settings, sources: list[str]) -> dict[str, str]:
    return settings.dbt_environment() | {"AISL_SOURCES": f" {' '.join(sources)} "}


def _quiet(settings: Settings) -> list[str]:
    logs = settings.logs_dir / "dbt"
    return ["--quiet", "--log-level", "none", "--log-level-file", "info", "--log-path", str(logs), "--no-use-colors"]


def _project(settings: Settings) -> list[str]:
    folder = str(DBT_PROJECT)
    return ["--project-dir", folder, "--profiles-dir", folder, "--target-path", str(settings.dbt_target_dir)]


def _with_kept(parsed: Any, stage: str, results: list[NodeResult]) -> list[NodeResult]:
    """The results and the stage's seeds, tests on seeds and views, in the order of their dependencies."""
    found = {r.unique_id: r for r in results}
    seeds = {n.unique_id for n in parsed.nodes.values() if n.resource_type == "seed" and stage in n.tags}
    for node in parsed.nodes.values():
        is_view = node.resource_type == "model" and node.config.materialized == "view" and stage in node.tags
        is_on_seeds = node.resource_type == "test" and bool(node.depends_on.nodes) and seeds.issuperset(node.depends_on.nodes)
        if is_view or is_on_seeds or node.unique_id in seeds:
            status = "pass" if is_on_seeds else "success"
            kept = NodeResult(node.unique_id, str(node.resource_type), status, 0.0, "kept as built", None, None)
            found.setdefault(node.unique_id, kept)
    before = {
        n.unique_id: [d for d in getattr(n.depends_on, "nodes", ()) if d in parsed.nodes] for n in parsed.nodes.values()
    }
    return [found[name] for name in graphlib.TopologicalSorter(before).static_order() if name in found]


def _node_result(result: Any) -> NodeResult:
    node = result.node
    is_test = str(node.resource_type) == "test"
    compiled = getattr(node, "compiled_path", None)
    return NodeResult(
        unique_id=node.unique_id,
        resource_type=str(node.resource_type),
        status=str(result.status),
        seconds=float(result.execution_time or 0),
        message=" ".join(str(result.message or "").split())[:2000],
        failures=result.failures,
        evidence=str(compiled) if is_test and compiled else None,
    )


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """dbt reads its variables from the process environment; they are there only while it runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _released_file() -> Iterator[None]:
    """dbt-duckdb keeps its connection for the next call; the file must be free when the step ends."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    try:
        yield
    finally:
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager.close_all_connections()
