-- What its source states as the sum of a request's tokens and what its classes add to. Such a request keeps its classes.
select
    source,
    account,
    provider,
    model_id,
    cast(count(*) as bigint) as calls,
    cast(sum(vendor_total_tokens) as bigint) as tokens_stated,
    cast(sum(tokens_total) as bigint) as tokens_classed,
    charge_date
from {{ ref('fct_model_call') }}
where vendor_total_tokens <> tokens_total
group by source, account, provider, model_id, charge_date
