-- Every level of a forecast adds to its total, on each day and over each period, wherever all members have a point. Points
-- are rounded binary numbers: a tenth of a cent, or a billionth of the total, is their noise.
with points as (
    select level, as_of, cast(target_date as string) as target, point from {{ ref('mart_forecast_daily') }}
    union all
    select level, as_of, concat(period_kind, ' ', cast(period_start as string)) as target, point
    from {{ ref('mart_forecast_total') }}
),

sums as (
    select level, as_of, target, sum(point) as point, count(*) - count(point) as missing
    from points
    group by level, as_of, target
)

select sums.level, sums.as_of, sums.target, sums.point, totals.point as total_point
from sums
inner join sums as totals on totals.level = 'total' and totals.as_of = sums.as_of and totals.target = sums.target
where sums.missing = 0
    and totals.missing = 0
    and abs(sums.point - totals.point) > greatest(0.001, 0.000000001 * abs(totals.point))
