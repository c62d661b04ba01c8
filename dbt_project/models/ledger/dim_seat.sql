-- Lists of a day become dated intervals: a seat holds from its assignment, or the first list it is in, to the first list it
-- is missing from. No activity is idle only while the vendor would still remember some; after that it is unknown.
{%- set state = ['plan', 'user_id', 'user_email', 'status', 'team', 'unit_price', 'currency', 'billing_period', 'contract_id'] %}
with lists as (
    select
        account, vendor, product, snapshot_date,
        row_number() over (partition by account, vendor, product order by snapshot_date) as list_ordinal,
        lag(snapshot_date) over (partition by account, vendor, product order by snapshot_date) as list_before,
        lead(snapshot_date) over (partition by account, vendor, product order by snapshot_date) as list_after
    from (select distinct account, vendor, product, snapshot_date from {{ ref('stg_seats__snapshot') }}) as every_list
),

held as (
    select
        seats.*,
        lists.list_ordinal,
        {{ row_hash(['seats.plan', 'seats.user_id', 'seats.user_email', 'seats.status', 'seats.team', 'seats.unit_price', 'seats.currency', 'seats.billing_period', 'seats.contract_id']) }} as state_key,
        lag(lists.list_ordinal) over (
            partition by seats.account, seats.vendor, seats.product, seats.seat_key order by lists.list_ordinal
        ) as held_before
    from {{ ref('stg_seats__snapshot') }} as seats
    inner join lists
        on lists.account = seats.account
        and lists.vendor = seats.vendor
        and lists.product = seats.product
        and lists.snapshot_date = seats.snapshot_date
    where seats.status <> 'removed'
),

islands as (
    select
        *,
        list_ordinal - row_number() over (
            partition by account, vendor, product, seat_key, state_key order by list_ordinal
        ) as island
    from held
),

intervals as (
    select
        account, vendor, product, seat_key, state_key, island,
        {% for column in state %}min({{ column }}) as {{ column }}, {% endfor %}
        min(assigned_at) as assigned_at,
        min(snapshot_date) as first_listed_on,
        max(snapshot_date) as last_listed_on,
        max(case when held_before = list_ordinal - 1 and list_ordinal = first_ordinal then 1 else 0 end) as goes_on
    from (
        select
            *,
            min(list_ordinal) over (partition by account, vendor, product, seat_key, state_key, island) as first_ordinal
        from islands
    ) as marked
    group by account, vendor, product, seat_key, state_key, island
),

bounded as (
    select intervals.*, first_list.list_before, last_list.list_after, last_row.last_activity_at
    from intervals
    inner join lists as first_list
        on first_list.account = intervals.account
        and first_list.vendor = intervals.vendor
        and first_list.product = intervals.product
        and first_list.snapshot_date = intervals.first_listed_on
    inner join lists as last_list
        on last_list.account = intervals.account
        and last_list.vendor = intervals.vendor
        and last_list.product = intervals.product
        and last_list.snapshot_date = intervals.last_listed_on
    inner join {{ ref('stg_seats__snapshot') }} as last_row
        on last_row.account = intervals.account
        and last_row.vendor = intervals.vendor
        and last_row.product = intervals.product
        and last_row.seat_key = intervals.seat_key
        and last_row.snapshot_date = intervals.last_listed_on
),

dated as (
    select
        intervals.*,
        case
            when intervals.goes_on = 0
                and cast(intervals.assigned_at as date) <= intervals.first_listed_on
                and (intervals.list_before is null or cast(intervals.assigned_at as date) > intervals.list_before)
                then cast(intervals.assigned_at as date)
            else intervals.first_listed_on
        end as valid_from,
        case
            when intervals.list_after is null then cast('9999-12-31' as date)
            when cast(removed.removed_at as date) > intervals.last_listed_on
                and cast(removed.removed_at as date) <= intervals.list_after
                then cast(removed.removed_at as date)
            else intervals.list_after
        end as valid_to
    from bounded as intervals
    left join {{ ref('stg_seats__snapshot') }} as removed
        on removed.account = intervals.account
        and removed.vendor = intervals.vendor
        and removed.product = intervals.product
        and removed.seat_key = intervals.seat_key
        and removed.snapshot_date = intervals.list_after
        and removed.status = 'removed'
),

holders as (
    select
        dated.*,
        coalesce(by_email.person_id, by_user.person_id) as person_id,
        {{ days_between('dated.last_activity_at', 'dated.last_listed_on') }} as days_since_activity,
        {{ days_between('dated.assigned_at', 'dated.last_listed_on') }} as days_assigned
    from dated
    left join {{ ref('dim_identity') }} as by_email
        on by_email.system = 'email'
        and by_email.external_id = dated.user_email
        and dated.last_listed_on >= by_email.valid_from
        and dated.last_listed_on < by_email.valid_to
    left join {{ ref('dim_identity') }} as by_user
        on by_user.system = case dated.vendor when 'github' then 'github_login' else concat(dated.vendor, '_user_id') end
        and by_user.external_id = case dated.vendor when 'github' then lower(dated.user_id) else dated.user_id end
        and dated.last_listed_on >= by_user.valid_from
        and dated.last_listed_on < by_user.valid_to
)

select
    cast({{ row_hash(['holders.account', 'holders.vendor', 'holders.product', 'holders.seat_key', 'holders.first_listed_on']) }} as string)
        as seat_interval_id,
    cast(holders.account as string) as account,
    cast(holders.vendor as string) as vendor,
    cast(holders.product as string) as product,
    cast(holders.seat_key as string) as seat_key,
    cast(holders.plan as string) as plan,
    cast(holders.status as string) as status,
    cast(holders.person_id as string) as person_id,
    cast(coalesce(people.team, teams.team) as string) as team,
    holders.assigned_at,
    holders.last_activity_at,
    cast(case
        when holders.days_since_activity <= {{ var('seat_idle_days') }} then 'active'
        when holders.days_since_activity is not null then 'idle'
        when holders.days_assigned is null or holders.days_assigned > {{ var('seat_activity_retention_days') }} then 'unknown'
        when holders.days_assigned > {{ var('seat_idle_days') }} then 'idle'
        else 'new'
    end as string) as activity_state,
    cast(holders.unit_price as decimal(38, 14)) as unit_price,
    cast(holders.currency as string) as currency,
    cast(holders.billing_period as string) as billing_period,
    cast(holders.contract_id as string) as contract_id,
    holders.first_listed_on,
    holders.last_listed_on,
    holders.valid_from,
    holders.valid_to
from holders
left join {{ ref('dim_person') }} as people
    on people.person_id = holders.person_id
    and holders.last_listed_on >= people.valid_from
    and holders.last_listed_on < people.valid_to
left join {{ ref('dim_team') }} as teams
    on teams.team = holders.team
    and holders.last_listed_on >= teams.valid_from
    and holders.last_listed_on < teams.valid_to
