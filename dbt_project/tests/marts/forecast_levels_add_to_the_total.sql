-- Every level of the series adds to the total on every day, and no series has a hole.
with sums as (
    select level, charge_date, sum(cost) as cost from {{ ref('mart_forecast_series') }} group by level, charge_date
),

holes as (
    select series_key, count(*) as days, {{ days_between('min(charge_date)', 'max(charge_date)') }} + 1 as span
    from {{ ref('mart_forecast_series') }}
    group by series_key
)

select sums.level, cast(sums.charge_date as string) as finding
from sums
inner join sums as totals on totals.level = 'total' and totals.charge_date = sums.charge_date
where sums.cost <> totals.cost
union all
select series_key as level, 'hole' as finding from holes where days <> span
