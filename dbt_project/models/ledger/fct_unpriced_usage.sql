select
    provider,
    model_id,
    cast(count(*) as bigint) as calls,
    cast(sum(tokens_total) as bigint) as tokens,
    cast('no_price' as string) as reason,
    charge_date
from {{ ref('fct_model_call') }}
where list_cost_usd is null and tokens_total > 0
group by provider, model_id, charge_date
