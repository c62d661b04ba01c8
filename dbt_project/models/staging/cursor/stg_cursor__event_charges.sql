-- Events have no id, so a day's events of one caller, model and kind are one charge. What the plan includes, errors and
-- free use carry a value that nobody invoices.
with event as (
    select
        *,
        case when is_chargeable then 'billed' else 'estimated' end as cost_basis,
        coalesce(service_account_id, service_account_name) as service_account
    from {{ ref('stg_cursor__usage_events') }}
    where charged_usd is not null
),

charge as (
    select
        account,
        charge_date,
        cost_basis,
        user_email,
        service_account,
        model,
        min(delivery_id) as delivery_id,
        sum(charged_usd) as charged_usd,
        sum(charged_usd_remainder) as charged_usd_remainder,
        sum(tokens) as tokens,
        count(*) as events
    from event
    group by account, charge_date, cost_basis, user_email, service_account, model
)

select
{{ vendor_charge({
    'account': 'account',
    'delivery_id': 'delivery_id',
    'charge_key': row_hash(['charge_date', 'cost_basis', 'user_email', 'service_account', 'model']),
    'cost_basis': 'cost_basis',
    'charge_start': 'charge_date',
    'billed_cost': 'charged_usd',
    'billed_cost_remainder': 'charged_usd_remainder',
    'currency': "'USD'",
    'description': "concat(case cost_basis when 'billed' then 'On-demand usage, ' else 'Included or free usage, ' end, coalesce(model, 'no model'))",
    'service_name': "'Cursor'",
    'provider_name': "'Cursor'",
    'sku_meter': "'model usage and token fee'",
    'quantity': 'coalesce(tokens, events)',
    'unit': "case when tokens is null then 'Requests' else 'Tokens' end",
    'model_name': 'model',
    'credential_id': 'service_account',
    'principal_id': 'user_email',
    'spend_source': "'developer_ai_tool'",
}) }}
from charge
