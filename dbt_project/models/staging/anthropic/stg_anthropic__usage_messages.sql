{{ config(materialized='table') }}
-- A table: it is read several times in a run, and holds the days in scope only.
select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    {{ utc_timestamp('starting_at') }} as starting_at,
    {{ utc_timestamp('ending_at') }} as ending_at,
    api_key_id,
    workspace_id,
    account_id,
    service_account_id,
    model,
    service_tier,
    context_window,
    inference_geo,
    uncached_input_tokens,
    cache_read_input_tokens,
    cache_creation_5m_input_tokens,
    cache_creation_1h_input_tokens,
    output_tokens,
    web_search_requests,
    cast({{ utc_timestamp('starting_at') }} as date) as charge_date
from {{ source('raw', 'anthropic__usage_messages') }}
