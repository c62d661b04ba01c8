{{ config(tags=['focus'], severity='error', enabled=is_on('copilot')) }}
-- Credits and requests are on up to three lists of the same days. Where two have a day's meter they agree on what it cost
-- and on what the plan covered, within a cent; a list in another unit, or with rows lost or doubled, does not.
with listed as (
    select 'usage_report' as list, account, charge_date, meter, sum(gross_usd) as gross_usd, sum(net_usd) as net_usd
    from {{ ref('stg_copilot__usage_report') }} group by account, charge_date, meter
    union all
    select 'billing_usage', account, charge_date, meter, sum(gross_usd), sum(net_usd)
    from {{ ref('stg_copilot__billing_usage') }} group by account, charge_date, meter
)

select
    listed.list,
    listed.account,
    listed.charge_date,
    listed.meter,
    listed.gross_usd,
    by_model.gross_usd as gross_usd_by_model,
    listed.net_usd,
    by_model.net_usd as net_usd_by_model
from listed
inner join (
    select account, charge_date, meter, sum(gross_usd) as gross_usd, sum(net_usd) as net_usd
    from {{ ref('stg_copilot__model_usage') }} group by account, charge_date, meter
) as by_model
    on by_model.account = listed.account and by_model.charge_date = listed.charge_date and by_model.meter = listed.meter
where listed.meter in ('ai_credit', 'premium_request')
    and (abs(listed.gross_usd - by_model.gross_usd) > 0.01 or abs(listed.net_usd - by_model.net_usd) > 0.01)
