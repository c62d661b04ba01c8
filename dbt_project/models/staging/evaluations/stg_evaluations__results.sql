select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    evaluated_on,
    eval_set_id,
    item_id,
    slice,
    config_id,
    trial,
    passed,
    cast(cost_usd as decimal(38, 14)) as cost_usd,
    tokens,
    latency_ms,
    judge_version,
    refused,
    safety_failure,
    file_name
from {{ source('raw', 'evaluations__results') }}
qualify row_number() over (
    partition by raw_account, eval_set_id, item_id, config_id, trial
    order by evaluated_on desc, raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc
) = 1
