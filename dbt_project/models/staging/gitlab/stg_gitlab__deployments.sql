select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    repo,
    id,
    iid,
    sha,
    ref,
    environment,
    environment_tier,
    status,
    user_id,
    username,
    is_production,
    {{ utc_timestamp('created_at') }} as created_at,
    {{ utc_timestamp('updated_at') }} as updated_at,
    {{ utc_timestamp('finished_at') }} as finished_at
from {{ source('raw', 'gitlab__deployments') }}
qualify row_number() over (partition by raw_account, id order by updated_at desc, raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc) = 1
