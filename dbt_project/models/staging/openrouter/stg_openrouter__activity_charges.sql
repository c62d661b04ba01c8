-- The account's activity is the money. What the keys do not explain of it stays on rows without a key, so that the sum is
-- the account's to the digit; own-key inference was billed by somebody else and is an estimate here.
{%- set line = ['account', 'charge_date', 'model', 'model_permaslug', 'endpoint_id', 'provider_name'] -%}
{%- set measures = ['usage_usd', 'usage_usd_remainder', 'byok_usage_inference_usd', 'byok_usage_inference_usd_remainder', 'requests',
                    'tokens_input_uncached', 'tokens_cache_read', 'tokens_output'] %}

with signed as (
    select
        {{ line | join(', ') }}, delivery_id, delivery_id as total_delivery_id, {{ row_hash(line) }} as line_key,
        {{ measures | join(', ') }}
    from {{ ref('stg_openrouter__activity') }}
    union all
    select
        {{ line | join(', ') }}, delivery_id, cast(null as string), {{ row_hash(line) }},
        {% for measure in measures %}-{{ measure }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ ref('stg_openrouter__activity_by_key') }}
),

without_key as (
    select
        {% for column in line %}min({{ column }}) as {{ column }}, {% endfor %}coalesce(min(total_delivery_id), min(delivery_id)) as delivery_id,
        {% for measure in measures %}sum({{ measure }}) as {{ measure }}{{ ', ' if not loop.last }}{% endfor %}
    from signed
    group by line_key
    having {% for measure in measures %}sum({{ measure }}) <> 0{{ ' or ' if not loop.last }}{% endfor %}
),

lines as (
    select
        {% for column in line %}usage.{{ column }}, {% endfor %}usage.delivery_id, usage.api_key_hash,
        usage.workspace_id as line_workspace_id, coalesce(usage.workspace_id, keys.workspace_id) as workspace_id,
        {% for measure in measures %}usage.{{ measure }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ ref('stg_openrouter__activity_by_key') }} as usage
    left join {{ ref('stg_openrouter__keys') }} as keys
        on usage.account = keys.account and usage.api_key_hash = keys.hash
    union all
    select
        {{ line | join(', ') }}, delivery_id, cast(null as string), cast(null as string), cast(null as string), {{ measures | join(', ') }}
    from without_key
),

priced as (
    select
        lines.*, 'billed' as cost_basis, usage_usd as cost, usage_usd_remainder as cost_remainder,
        cast(tokens_input_uncached + tokens_cache_read + tokens_output as decimal(28, 12)) as tokens
    from lines
    where usage_usd <> 0 or usage_usd_remainder <> 0 or (byok_usage_inference_usd = 0 and byok_usage_inference_usd_remainder = 0)
    union all
    select
        lines.*, 'estimated', byok_usage_inference_usd, byok_usage_inference_usd_remainder,
        -- Tokens are counted once: on the charge, where there is one.
        case
            when usage_usd = 0 and usage_usd_remainder = 0
                then cast(tokens_input_uncached + tokens_cache_read + tokens_output as decimal(28, 12))
        end
    from lines
    where byok_usage_inference_usd <> 0 or byok_usage_inference_usd_remainder <> 0
)

select
    {{ vendor_charge({
        'account': 'account',
        'delivery_id': 'delivery_id',
        'charge_key': row_hash(['cost_basis', 'api_key_hash', 'line_workspace_id', 'charge_date', 'model', 'model_permaslug', 'endpoint_id', 'provider_name']),
        'cost_basis': 'cost_basis',
        'charge_start': 'charge_date',
        'billed_cost': 'cost',
        'billed_cost_remainder': 'cost_remainder',
        'currency': "'USD'",
        'description': "concat(model, case when cost_basis = 'estimated' then ', charged on your own key by ' else ', served by ' end, coalesce(provider_name, 'an unnamed provider'))",
        'service_name': "'OpenRouter API'",
        'provider_name': "'OpenRouter'",
        'host_provider_name': "coalesce(provider_name, 'OpenRouter')",
        'sku_meter': "'All Tokens'",
        'quantity': 'tokens',
        'unit': "case when tokens is not null then 'Tokens' end",
        'model_name': "regexp_replace(model, ':[a-z]+$', '')",
        'service_tier': "case when model like '%:batch' then 'batch' end",
        'credential_id': 'api_key_hash',
        'workspace_id': 'workspace_id',
    }) }}
from priced
