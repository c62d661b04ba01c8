"""Every model and data test compiles for DuckDB and for Spark, and what comes out parses in the engine's own dialect.

Spark itself is not needed: dbt compiles with the Spark adapter's macros against an engine that has no relations yet.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
import sqlglot
from sqlglot.errors import ErrorLevel

from tests.dbt.conftest import invoke, messages


@pytest.fixture(scope="module", params=["duckdb", "spark"])
def compiled(request, tmp_path_factory, project):
    """Engine name and the compiled SQL of every model and data test by name."""
    engine = request.param
    path: Path = tmp_path_factory.mktemp(engine) / "warehouse.duckdb"
    offline: list[str] = []
    parsed = project.parsed
    with pytest.MonkeyPatch.context() as patch:
        if engine == "spark":
            # What a model is configured with depends on the target, so Spark's project is parsed anew.
            offline, parsed = ["--no-populate-cache", "--no-introspect"], None
            from dbt.adapters.spark.impl import SparkAdapter

            # The session method only asks whether pyspark can be imported; nothing is run.
            patch.setitem(sys.modules, "pyspark", types.ModuleType("pyspark"))
            patch.setattr(SparkAdapter, "list_relations_without_caching", lambda self, schema_relation: [])
        result = invoke(["compile", "--target", engine, *offline], path, parsed)
    assert result.success, messages(result)
    nodes = {r.node.name: r.node for r in result.result.results if r.node.resource_type in ("model", "test")}
    return engine, {name: node.compiled_code for name, node in nodes.items()}


def test_every_model_compiles_and_parses(compiled):
    engine, statements = compiled
    assert len(statements) > 50
    broken = {}
    for name, sql in statements.items():
        try:
            parsed = sqlglot.parse(sql, dialect=engine, error_level=ErrorLevel.RAISE)
        except sqlglot.errors.ParseError as error:
            broken[name] = str(error)[:300]
            continue
        if len([p for p in parsed if p is not None]) != 1:
            broken[name] = "not one statement"
    assert broken == {}


def test_no_function_of_the_other_engine_is_left(compiled):
    engine, statements = compiled
    # sqlglot accepts unknown functions, so the ones that exist on one engine only are named here.
    foreign = {
        "spark": (
            "json_extract_string(",
            "unnest(",
            "json_merge_patch(",
            "hugeint",
            "rtrim(",
            "date_diff(",
            "string_agg(",
            " // ",
        ),
        "duckdb": ("get_json_object(", "explode(", "datediff(", "collect_list(", " div "),
    }[engine]
    found = {name: [f for f in foreign if f in sql.lower()] for name, sql in statements.items()}
    assert {name: words for name, words in found.items() if words} == {}
