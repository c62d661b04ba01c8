-- Every dollar that a vendor reports for a day in scope is booked on that day, to the last digit, and nothing else is.
-- For the vendors whose bill is one list.
{%- set bills = {'anthropic': ('stg_anthropic__cost_report', 'amount_usd'), 'openai': ('stg_openai__costs', 'amount_usd')} -%}
{%- for source, model, amount in [
    ('openrouter', 'stg_openrouter__activity', 'usage_usd'), ('xai', 'stg_xai__usage', 'usage_usd'), ('mistral', 'stg_mistral__usage', 'amount'),
] if is_on(source) -%}
{%- do bills.update({source: (model, amount)}) -%}
{%- endfor %}
with delivered as (
    {%- for source, bill in bills.items() %}
    select '{{ source }}' as source, account, charge_date, sum({{ bill[1] }}) as amount, sum({{ bill[1] }}_remainder) as remainder
    from {{ ref(bill[0]) }}
    group by account, charge_date
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

booked as (
    select
        charge.x_SourceId as source,
        charge.x_Account as account,
        charge.charge_date,
        sum(charge.BilledCost) as amount,
        sum(charge.x_BilledCostRemainder) as remainder
    from {{ ref('int_booked_charge') }} as charge
    inner join {{ ref('int_focus_scope') }} as scope
        on charge.x_SourceId = scope.source and charge.x_Account = scope.account and charge.charge_date = scope.charge_date
    where charge.x_SourceId in ('{{ "', '".join(bills) }}')
    group by charge.x_SourceId, charge.x_Account, charge.charge_date
)

select
    coalesce(delivered.source, booked.source) as source,
    coalesce(delivered.account, booked.account) as account,
    coalesce(delivered.charge_date, booked.charge_date) as charge_date,
    delivered.amount as delivered_amount,
    booked.amount as booked_amount,
    delivered.remainder as delivered_remainder,
    booked.remainder as booked_remainder
from delivered
full outer join booked
    on delivered.source = booked.source and delivered.account = booked.account and delivered.charge_date = booked.charge_date
where coalesce(delivered.amount, 0) <> coalesce(booked.amount, 0)
    or coalesce(delivered.remainder, 0) <> coalesce(booked.remainder, 0)
