"""The door after forecasts: no row without cutoff, method and an interval or the reason why there is none."""

from __future__ import annotations

import dagster as dg

from orchestration.gates.suites import Expectation, Gate

FORECAST_TOTAL = dg.AssetKey(["marts", "mart_forecast_total"])

_INCOMPLETE = """
select series_key, period_kind, method, data_cutoff, quality, coverage_state from marts.mart_forecast_total
where method is null or data_cutoff is null or config_hash is null or coverage_state is null
   or (lo80 is null and quality is null)
order by all
"""

_CROSSED = """
select series_key, period_kind, lo95, lo80, point, hi80, hi95 from marts.mart_forecast_total
where lo80 > hi80 or lo95 > lo80 or hi95 < hi80
order by all
"""

_FROM_THE_FUTURE = """
select series_key, period_kind, data_cutoff from marts.mart_forecast_total, raw.run_context
where data_cutoff > as_of_date
order by all
"""

_UNEXPLAINED = """
select scope, month, comparison, sum(amount) as effects, any_value(change) as change from marts.mart_variance_bridge
group by all having sum(amount) <> any_value(change)
union all
select r.scope, r.month, 'reset', r.variance, b.change
from marts.mart_forecast_reset as r
join (select distinct scope, month, change from marts.mart_variance_bridge where comparison = 'forecast') as b using (scope, month)
where r.sign_off_state <> 'signed' and r.variance is distinct from b.change
order by all
"""

GATE = Gate(
    name="forecasts",
    asset=FORECAST_TOTAL,
    profile=f"""
    select (select count(*) from ({_INCOMPLETE})) as incomplete_forecasts,
           (select count(*) from ({_CROSSED})) as crossed_intervals,
           (select count(*) from ({_FROM_THE_FUTURE})) as forecasts_from_the_future,
           (select count(*) from ({_UNEXPLAINED})) as variances_not_explained
    """,
    expectations=(
        Expectation(
            "incomplete_forecasts",
            "Every forecast says its cutoff, method and interval, or why there is none",
            "Read the series named in mart_forecast_series.",
            maximum=0,
            evidence=_INCOMPLETE,
        ),
        Expectation(
            "crossed_intervals",
            "Intervals are ordered and wider at 95 % than at 80 %",
            "Report the series named: forecasting must never give this.",
            maximum=0,
            evidence=_CROSSED,
        ),
        Expectation(
            "forecasts_from_the_future",
            "No forecast knows more than the run's clock",
            "Check AISL_AS_OF against the deliveries landed.",
            maximum=0,
            evidence=_FROM_THE_FUTURE,
        ),
        Expectation(
            "variances_not_explained",
            "The effects of every variance bridge add to the variance exactly",
            "Read mart_variance_bridge of the scopes named; a remainder is a fault of the decomposition.",
            maximum=0,
            evidence=_UNEXPLAINED,
        ),
    ),
)
