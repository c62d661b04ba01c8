-- Cash is what goes beyond the included credit; use covered by it is an estimate.
with split as (
    select
        *, 'billed' as cost_basis, cash_usd as cost,
        case when cash_usd = used_usd then used_usd_remainder else 0 end as cost_remainder, true as has_quantity
    from {{ ref('stg_huggingface__usage') }}
    where cash_usd <> 0 or (cash_usd = used_usd and used_usd_remainder <> 0)
    union all
    select
        *, 'estimated', used_usd - cash_usd,
        case when cash_usd = used_usd then 0 else used_usd_remainder end, cash_usd = 0
    from {{ ref('stg_huggingface__usage') }}
    where used_usd <> cash_usd
),

named as (
    select
        *,
        case product
            when 'inferenceProviders' then 'Hugging Face Inference Providers'
            when 'jobs' then 'Hugging Face Jobs'
            else concat('Hugging Face ', product)
        end as service,
        case when has_quantity then coalesce(cast(num_requests as decimal(28, 12)), total_minutes) end as quantity
    from split
)

select
    {{ vendor_charge({
        'account': 'account',
        'delivery_id': 'delivery_id',
        'charge_key': row_hash(['cost_basis', 'entity', 'charge_date', 'product']),
        'cost_basis': 'cost_basis',
        'charge_start': 'charge_date',
        'billed_cost': 'cost',
        'billed_cost_remainder': 'cost_remainder',
        'currency': "'USD'",
        'description': "concat(service, case when cost_basis = 'estimated' then ', covered by the included credit' else '' end)",
        'service_name': 'service',
        'service_subcategory': "case when product = 'inferenceProviders' then 'Generative AI' else 'AI Platforms' end",
        'provider_name': "'Hugging Face'",
        'sub_account_id': 'entity',
        'sub_account_type': "'Organization'",
        'sku_meter': 'product',
        'quantity': 'quantity',
        'unit': "case when quantity is null then null when num_requests is not null then 'Requests' else 'Minutes' end",
    }) }}
from named
