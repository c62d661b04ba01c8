-- A session that goes on within the hour across midnight is one session: a day without a stamp of its own takes the one
-- ticket that the other side of midnight agrees on.
with sessions as (
    select
        charge_date, account, session_id, min(first_ticket) as first_ticket, max(last_ticket) as last_ticket,
        min(first_at) as first_at, max(last_at) as last_at
    from {{ ref('int_session_day') }}
    group by charge_date, account, session_id
),

pairs as (
    select
        earlier.account, earlier.session_id, earlier.charge_date as earlier_date, later.charge_date as later_date,
        earlier.first_ticket as earlier_first, earlier.last_ticket as earlier_last,
        later.first_ticket as later_first, later.last_ticket as later_last
    from sessions as earlier
    inner join sessions as later
        on later.account = earlier.account
        and later.session_id = earlier.session_id
        and later.charge_date = cast(earlier.charge_date + interval '1' day as date)
        and later.first_at <= earlier.last_at + interval '1' hour
),

lent as (
    select account, session_id, later_date as charge_date, earlier_first as first_ticket, earlier_last as last_ticket
    from pairs
    where later_first is null and earlier_first is not null
    union all
    select account, session_id, earlier_date as charge_date, later_first as first_ticket, later_last as last_ticket
    from pairs
    where earlier_first is null and later_first is not null
)

select
    cast(account as string) as account,
    cast(session_id as string) as session_id,
    cast(min(first_ticket) as string) as ticket_key,
    charge_date
from lent
group by account, session_id, charge_date
having min(first_ticket) = max(last_ticket)
