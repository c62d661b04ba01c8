-- The account's month is the money. What its listed workspaces do not explain stays on rows without a workspace, so that the
-- sum is the account's to the digit. The charge period is the month: the vendor says nothing about days.
{%- set line = ['account', 'charge_date', 'currency', 'category', 'model', 'direction', 'entry_path'] %}

with signed as (
    select
        {{ line | join(', ') }}, delivery_id, delivery_id as total_delivery_id, {{ row_hash(line) }} as line_key,
        amount, amount_remainder
    from {{ ref('stg_mistral__usage') }}
    union all
    select {{ line | join(', ') }}, delivery_id, cast(null as string), {{ row_hash(line) }}, -amount, -amount_remainder
    from {{ ref('stg_mistral__usage_by_workspace') }}
),

lines as (
    select {{ line | join(', ') }}, delivery_id, workspace_id, amount, amount_remainder
    from {{ ref('stg_mistral__usage_by_workspace') }}
    union all
    select
        {% for column in line %}min({{ column }}) as {{ column }}, {% endfor %}
        coalesce(min(total_delivery_id), min(delivery_id)), cast(null as string), sum(amount), sum(amount_remainder)
    from signed
    group by line_key
)

select
    {{ vendor_charge({
        'account': 'account',
        'delivery_id': 'delivery_id',
        'charge_key': row_hash(['workspace_id', 'charge_date', 'currency', 'entry_path']),
        'charge_start': 'charge_date',
        'charge_end': "cast(charge_date as timestamp) + interval '1' month",
        'billed_cost': 'amount',
        'billed_cost_remainder': 'amount_remainder',
        'currency': 'currency',
        'description': "concat(category, coalesce(concat(' ', model), ''), coalesce(concat(' ', direction), ''))",
        'service_name': "'Mistral API'",
        'provider_name': "'Mistral AI'",
        'sku_meter': "concat(category, coalesce(concat(' ', direction), ''))",
        'model_name': 'model',
        'token_meter': "case when category in ('chat', 'completion', 'vibe_usage') and direction in ('input', 'output') then direction end",
        'workspace_id': 'workspace_id',
    }) }}
from lines
where amount <> 0 or amount_remainder <> 0
