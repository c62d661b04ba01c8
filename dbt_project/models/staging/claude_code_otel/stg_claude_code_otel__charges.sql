-- What a subscription's use would have cost at list price, as the client estimated it. Nobody invoices it: the seat is paid.
with once as (
    select *
    from {{ ref('stg_claude_code_otel__api_requests') }}
    where billed_as = 'subscription' and cost_usd is not null
    qualify row_number() over (partition by account, charge_date, request_id order by delivery_id, ordinal) = 1
),

daily as (
    select
        account,
        charge_date,
        coalesce(user_email, user_id) as who,
        model,
        min(delivery_id) as delivery_id,
        sum({{ billed_amount('cost_usd_text') }}) as cost,
        sum({{ billed_remainder('cost_usd_text') }}) as cost_remainder,
        count(*) as requests
    from once
    group by account, charge_date, coalesce(user_email, user_id), model
)

select
    {{ vendor_charge({
        'account': 'account',
        'delivery_id': 'delivery_id',
        'charge_key': row_hash(['charge_date', 'who', 'model']),
        'cost_basis': "'estimated'",
        'charge_start': 'cast(charge_date as timestamp)',
        'billed_cost': 'cost',
        'billed_cost_remainder': 'cost_remainder',
        'currency': "'USD'",
        'description': "'Claude Code on a subscription, at list price'",
        'service_name': "'Claude Code'",
        'provider_name': "'Anthropic'",
        'quantity': 'requests',
        'unit': "'Requests'",
        'model_name': 'model',
        'principal_id': 'who',
        'spend_source': "'developer_ai_tool'",
    }) }}
from daily
