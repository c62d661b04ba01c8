-- Whether an enterprise pays these amounts or its plan covers them is said by the account's setting COST_BASIS.
select
{{ vendor_charge({
    'account': 'account',
    'delivery_id': 'delivery_id',
    'charge_key': row_hash(['charge_date', 'product', 'model', 'is_remainder']),
    'cost_basis': "case when cost_basis = 'billed' then 'billed' else 'estimated' end",
    'charge_start': 'charge_date',
    'billed_cost': 'amount_usd',
    'billed_cost_remainder': 'amount_usd_remainder',
    'list_cost': 'list_amount_usd',
    'currency': 'currency',
    'description': "case when is_remainder then 'Outside the largest groups of the day' else concat(coalesce(product, 'no product'), ', ', coalesce(model, 'no model')) end",
    'service_name': "'Claude Enterprise'",
    'provider_name': "'Anthropic'",
    'sku_meter': "'usage'",
    'model_name': 'model',
    'spend_source': "'ai_in_saas'",
}) }}
from {{ ref('stg_anthropic_enterprise__analytics_cost') }}
