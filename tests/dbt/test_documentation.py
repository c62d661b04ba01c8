"""What a reader of the project relies on: every relation and column says what it is, numbers name their unit, nothing is untested."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.dbt.conftest import Project

NUMBER = re.compile(r"decimal|double|bigint|integer", re.IGNORECASE)
# A unit, or a measure that has none.
UNIT = re.compile(
    r"\bunit\b|usd|currency|tokens|hours|days|seats|shares?\b|ratio|rank|count|number of|0 to 1|per ", re.IGNORECASE
)


def _relations(project: Project) -> Iterator[Any]:
    return (n for n in project.parsed.nodes.values() if str(n.resource_type) in ("model", "seed"))


def test_every_relation_and_every_listed_column_is_described(project: Project) -> None:
    assert [n.name for n in _relations(project) if not n.description] == []
    assert [f"{n.name}.{c.name}" for n in _relations(project) for c in n.columns.values() if not c.description] == []


def test_every_relation_is_tested(project: Project) -> None:
    tests = [n for n in project.parsed.nodes.values() if str(n.resource_type) == "test"]
    tested = {name for test in [*tests, *project.parsed.unit_tests.values()] for name in test.depends_on.nodes}
    assert [n.name for n in _relations(project) if n.unique_id not in tested] == []


def test_what_is_published_has_an_enforced_contract_and_its_numbers_a_unit(project: Project) -> None:
    published = [n for n in _relations(project) if (n.config.meta or {}).get("published_as") and str(n.resource_type) == "model"]
    assert len(published) > 30
    assert [n.name for n in published if not n.config.contract.enforced] == []
    numbers = [(n.name, c) for n in published for c in n.columns.values() if NUMBER.match(c.data_type)]
    assert [f"{name}.{c.name}" for name, c in numbers if not UNIT.search(c.description)] == []
