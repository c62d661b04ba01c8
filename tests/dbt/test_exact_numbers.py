"""Laws of the exact arithmetic macros: nothing is rounded, nothing is lost in a split."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path

import duckdb
import pytest

from tests.dbt.conftest import invoke, messages


@pytest.fixture(scope="module")
def compiled(project, tmp_path_factory):
    """Function: Jinja SQL to the SQL that DuckDB runs."""
    path: Path = tmp_path_factory.mktemp("inline") / "warehouse.duckdb"

    def compile_inline(text: str) -> str:
        result = invoke(["compile", "--inline", text], path, project.parsed)
        assert result.success, messages(result)
        return result.result.results[0].node.compiled_code

    return compile_inline


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250.5", "250.5"),
        ("1.2E-7", "0.00000012"),
        ("-3e2", "-300"),
        ("120E-15", "0.00000000000012"),
        ("0.00000000000001", "0.00000000000001"),
        (".5", "0.5"),
        ("7.", "7"),
        ("1.50000000000000000000", "1.5"),
        ("999999999999999999999999.99999999999999", "999999999999999999999999.99999999999999"),
        ("0.000000000000001", None),  # a fifteenth digit would have to be rounded
        ("1000000000000000000000000", None),
        ("12E-16", None),
        ("1,5", None),
        ("", None),
        ("nan", None),
        ("1e999", None),
        (None, None),
    ],
)
def test_a_number_is_read_exactly_or_not_at_all(compiled, text, expected):
    sql = compiled(
        "select {{ exact_decimal('t', 38, 14) }} as value, {{ decimal_problem('t', 38, 14) }} as problem from given"
    )
    value, problem = _run(sql, "create table given as select ?::varchar as t", [text])[0]
    assert value == (None if expected is None else Decimal(expected))
    assert (problem is None) == (expected is not None or text is None)


def test_cents_become_dollars_without_rounding(compiled):
    sql = compiled("select {{ to_money('t', 2) }} from given")
    assert _run(sql, "create table given as select '250.5' as t") == [(Decimal("2.505"),)]
    assert _run(sql, "create table given as select '0.000000000001' as t") == [(Decimal("0.00000000000001"),)]
    assert _run(sql, "create table given as select '0.0000000000001' as t") == [(None,)]


@pytest.mark.parametrize("minor_digits", [0, 2])
def test_a_billed_cost_is_its_amount_plus_its_remainder_or_a_problem(compiled, minor_digits):
    sql = compiled(
        f"select t, {{{{ billed_amount('t', {minor_digits}) }}}}, {{{{ billed_remainder('t', {minor_digits}) }}}},"
        f" {{{{ billed_problem('t', {minor_digits}) }}}} from given"
    )
    rng = random.Random(11)
    texts = ["0.1", "-0.30000000000000004", "1E-22", "9E-25", "1e13", "5" * 22, "99999999999999.9", "1" * 20 + "." + "1" * 20, "x"]
    texts += [f"{rng.randint(-10**9, 10**9)}E-{rng.randint(0, 30)}" for _ in range(200)]
    connection = duckdb.connect()
    connection.execute("create table given (t varchar)")
    connection.executemany("insert into given values (?)", [(t,) for t in texts])
    booked = 0
    for text, amount, remainder, problem in connection.execute(sql).fetchall():
        assert (amount is None) == (remainder is None) == (problem is not None), text
        if amount is not None:
            booked += 1
            assert amount + remainder == Decimal(text).scaleb(-minor_digits), text
            assert abs(remainder) <= Decimal("5E-15"), text
    assert booked > 100


@pytest.mark.parametrize(
    ("quantity", "price"),
    [
        ("0.123456", "15"),
        ("-0.123456", "15"),
        ("1234567890123456", "0.01"),
        ("0.000000000001", "123456789012"),
        ("999999999.999999", "999.99"),
        ("0.5", "0.0000000000001"),
    ],
)
def test_quantity_times_price_is_exact_at_the_extremes(compiled, quantity, price):
    sql = compiled("select {{ decimal_product('q', 'p') }} from given")
    found = _run(sql, "create table given as select ?::decimal(28,12) as q, ?::decimal(28,16) as p", [quantity, price])
    assert found == [(Decimal(quantity) * Decimal(price),)]


def _run(sql: str, setup: str, parameters: list | None = None) -> list[tuple]:
    connection = duckdb.connect()
    connection.execute(setup, parameters or [])
    return connection.execute(sql).fetchall()


SPLIT = """select * from ({{ largest_remainder(relation='given', partition_by=['charge'], order_by=['target'], weight='weight',
    columns=['charge', 'target'], amounts={'amount': 'part'}%s) }}) as split order by charge, target"""


def test_a_cost_per_unit_is_rounded_once_and_never_divides_by_nothing(compiled):
    sql = compiled("select c, q, {{ cost_per_unit('c', 'q') }} from given")
    rng = random.Random(5)
    given = [("4000", "35"), ("8000", "115"), ("-4000", "35"), ("1", "3"), ("2", "3"), ("5", "0"), ("5", "-2"), ("0", "7"), ("0.00000000000001", "2"),
             ("-0.00000000000001", "2"), ("99999999999999999.99999999999999", "1"), ("7", "0.000001"), ("7", "0.0000004"), ("6", "2.999999999999"),
             ("99999999999.99999999999999", "999999999999999.999999999999")]  # fmt: skip
    given += [(f"{rng.uniform(-1e9, 1e9):.14f}", f"{rng.uniform(0, 1e6):.12f}") for _ in range(200)]
    rows = ", ".join(f"({c}::decimal(38, 14), {q}::decimal(28, 12))" for c, q in given)
    digits = Context(prec=80, rounding=ROUND_HALF_UP)
    for cost, quantity, found in _run(sql, f"create table given as select * from (values {rows}) as rows(c, q)"):
        counted = digits.quantize(quantity, Decimal("0.000001"))
        expected = digits.quantize(digits.divide(cost, counted), Decimal("1e-14")) if counted > 0 else None
        assert found == expected, (cost, quantity)


def test_a_split_adds_up_to_the_last_digit_whatever_the_weights(compiled):
    sql = compiled(SPLIT % "")
    rng = random.Random(7)
    connection = duckdb.connect()
    connection.execute("create table given (charge integer, target varchar, weight bigint, amount decimal(38,14))")
    truth: dict[int, Decimal] = {}
    weights: dict[tuple[int, str], int] = {}
    for charge in range(120):
        digits = rng.choice([1, 10**14, 10**18, 10**24])
        truth[charge] = Decimal(rng.randint(-digits, digits)).scaleb(-14)
        for n in range(rng.randint(1, 9)):
            weights[charge, f"t{n}"] = rng.choice([0, 1, 3, rng.randint(1, 10**9), rng.randint(1, 9 * 10**17)])
    given = [(c, t, w, truth[c]) for (c, t), w in weights.items()]
    connection.executemany("insert into given values (?, ?, ?, ?)", given)
    shares, parts = defaultdict(Decimal), defaultdict(Decimal)
    rows = connection.execute(sql).fetchall()
    assert len(rows) == len(given)
    for charge, target, _, share, part in rows:
        shares[charge] += share
        parts[charge] += part
        group = {t: w for (c, t), w in weights.items() if c == charge}
        total = sum(group.values())
        exact = Decimal(group[target]) / total if total else Decimal(1) / len(group)
        assert abs(part - truth[charge] * exact) <= Decimal("1e-13")
        assert part == 0 or (part < 0) == (truth[charge] < 0)
    assert dict(shares) == dict.fromkeys(truth, Decimal(1))
    assert dict(parts) == truth


def test_left_over_units_go_to_the_largest_remainder_and_ties_to_the_smaller_key(compiled):
    sql = compiled(SPLIT % "")
    setup = """create table given as select 1 as charge, t as target, w::bigint as weight, 0.00000000000010::decimal(38,14) as amount
        from (values ('b', 1), ('a', 1), ('c', 1)) as v(t, w)"""
    unit = Decimal("0.00000000000001")
    assert [(r[1], r[2], r[4] / unit) for r in _run(sql, setup)] == [("a", 1, 4), ("b", 2, 3), ("c", 3, 3)]


def test_zero_weights_split_evenly_or_not_at_all(compiled):
    setup = """create table given as select 1 as charge, t as target, 0::bigint as weight, 1.00::decimal(38,14) as amount
        from (values ('a'), ('b')) as v(t)"""
    assert [r[4] for r in _run(compiled(SPLIT % ""), setup)] == [Decimal("0.5"), Decimal("0.5")]
    assert [r[3:] for r in _run(compiled(SPLIT % ", zero_weight='null'"), setup)] == [(None, None), (None, None)]
