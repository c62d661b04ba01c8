"""The golden file, by id, and a comparison with the tolerance it states itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

EXAMPLES = json.loads((Path(__file__).parents[2] / "fixtures/golden/golden.json").read_text())["examples"]
GOLDEN = {example["id"]: example for example in EXAMPLES}
TOPICS = ("forecasting", "variance", "cost_model")


def approx(identifier: str, value: object) -> object:
    """`value` as the golden example of that id wants it compared."""
    example = GOLDEN[identifier]
    return pytest.approx(value, rel=example["tol_rel"], abs=example["tol_abs"] or 1e-9)
