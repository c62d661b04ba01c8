-- A seat line of an invoice follows its seats: seat-days of each holder's team within the line's period. A product that no
-- list knew before the period's end has no rows here, and its lines stay with the allocation rules.
with lines as (
    select
        x_charge_id, charge_date, lower(coalesce(ServiceProviderName, InvoiceIssuerName)) as vendor, lower(ServiceName) as product,
        cast(ChargePeriodStart as date) as starts_on, cast(ChargePeriodEnd as date) as ends_on
    from {{ ref('focus_cost_and_usage') }}
    where x_SourceId = 'invoices' and ChargeCategory = 'Purchase' and PricingUnit = 'Seats'
),

known as (
    select vendor, lower(product) as product, min(first_listed_on) as first_listed_on
    from {{ ref('dim_seat') }}
    group by vendor, lower(product)
),

held as (
    select
        lines.x_charge_id, lines.charge_date, seats.person_id, seats.team,
        greatest(seats.valid_from, lines.starts_on) as starts_on,
        least(seats.valid_to, lines.ends_on) as ends_on
    from lines
    inner join known
        on known.vendor = lines.vendor and known.product = lines.product and known.first_listed_on < lines.ends_on
    inner join {{ ref('dim_seat') }} as seats
        on seats.vendor = lines.vendor
        and lower(seats.product) = lines.product
        and seats.valid_from < lines.ends_on
        and seats.valid_to > lines.starts_on
),

-- A holder who changed teams counts for each team on its own days.
by_team as (
    select
        held.x_charge_id, held.charge_date, people.team,
        {{ days_between('greatest(held.starts_on, people.valid_from)', 'least(held.ends_on, people.valid_to)') }} as seat_days
    from held
    inner join {{ ref('dim_person') }} as people
        on people.person_id = held.person_id
        and people.valid_from < held.ends_on
        and people.valid_to > held.starts_on
    union all
    select held.x_charge_id, held.charge_date, held.team, {{ days_between('held.starts_on', 'held.ends_on') }} as seat_days
    from held
    where held.person_id is null
),

shares as (
    select x_charge_id, charge_date, team, sum(seat_days) as seat_days
    from by_team
    group by x_charge_id, charge_date, team
    having sum(seat_days) > 0
)

select
    cast(shares.x_charge_id as string) as x_charge_id,
    cast(shares.team as string) as team,
    cast(shares.seat_days as bigint) as seat_days,
    shares.charge_date
from shares
inner join (select distinct x_charge_id from shares where team is not null) as placed on placed.x_charge_id = shares.x_charge_id
