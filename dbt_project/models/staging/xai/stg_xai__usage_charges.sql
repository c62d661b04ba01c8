-- The description is free text, such as `grok-4.7 input`: the model is its first word that begins with grok.
with described as (
    select
        *,
        nullif(regexp_extract(lower(description), '(grok[a-z0-9.-]*)', 1), '') as model_name,
        case
            when lower(description) like '%cached%' then 'cache_read'
            when lower(description) like '%output%' or lower(description) like '%completion%' or lower(description) like '%reasoning%' then 'output'
            when lower(description) like '%input%' or lower(description) like '%prompt%' then 'input'
        end as token_meter
    from {{ ref('stg_xai__usage') }}
    where usage_usd <> 0 or usage_usd_remainder <> 0
)

select
    {{ vendor_charge({
        'account': 'account',
        'delivery_id': 'delivery_id',
        'charge_key': row_hash(['charge_date', 'api_key_id', 'description']),
        'charge_start': 'bucket_start',
        'billed_cost': 'usage_usd',
        'billed_cost_remainder': 'usage_usd_remainder',
        'currency': "'USD'",
        'description': 'description',
        'service_name': "'xAI API'",
        'provider_name': "'xAI'",
        'sku_meter': 'description',
        'model_name': 'model_name',
        'token_meter': 'case when model_name is not null then token_meter end',
        'credential_id': 'api_key_id',
    }) }}
from described
