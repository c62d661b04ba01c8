{{ config(severity='warn', enabled=is_on('xai')) }}
-- The list of changes explains the balance to the cent, or it is not whole.
with changes as (
    select account, window_key, sum(credit_usd) as credit_usd
    from {{ ref('stg_xai__balance_changes') }}
    group by account, window_key
)

select balances.account, balances.window_key, balances.credit_left_usd, changes.credit_usd
from {{ ref('stg_xai__prepaid_balance') }} as balances
inner join changes on changes.account = balances.account and changes.window_key = balances.window_key
where changes.credit_usd <> balances.credit_left_usd
