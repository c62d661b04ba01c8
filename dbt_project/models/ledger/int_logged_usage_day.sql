{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope(logged_usage_scope(), {'charge_date': 'charge_date'}) }}",
) }}
-- Counts of the request logs by day. A session or user action begins on a day on whose day before it had no request, so one
-- that runs over midnight is one. A restated day may change what begins on the next: both are rebuilt.
with calls as (
    select
        calls.charge_date,
        coalesce(calls.workflow, calls.owner_workflow) as workflow,
        calls.model_id,
        calls.session_id,
        calls.user_action_id,
        calls.tokens_input_uncached + calls.tokens_cache_read + calls.tokens_cache_write_5m + calls.tokens_cache_write_1h
            + calls.tokens_cache_write_unspecified as input_tokens,
        calls.tokens_output as output_tokens
    from {{ ref('fct_model_call') }} as calls
    {% if is_incremental() -%}
    inner join {{ logged_usage_scope() }} as days
        on calls.charge_date = days.charge_date
    {%- endif %}
    where not calls.is_gateway_cache_hit
),

{%- for kind, column in {'session': 'session_id', 'user_action': 'user_action_id'}.items() %}

{{ kind }}_days as (
    select charge_date, workflow, {{ column }} as id, count(*) as requests, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens
    from calls
    where {{ column }} is not null
    group by charge_date, workflow, {{ column }}
),

{{ kind }}_before as (
    {% if is_incremental() -%}
    select distinct cast(calls.charge_date + interval '1' day as date) as charge_date, coalesce(calls.workflow, calls.owner_workflow) as workflow, calls.{{ column }} as id
    from {{ ref('fct_model_call') }} as calls
    inner join {{ logged_usage_scope() }} as days
        on calls.charge_date = cast(days.charge_date - interval '1' day as date)
    where calls.{{ column }} is not null and not calls.is_gateway_cache_hit
    {%- else -%}
    select cast(charge_date + interval '1' day as date) as charge_date, workflow, id from {{ kind }}_days
    {%- endif %}
),
{%- endfor %}

counts as (
    select
        'request' as kind, charge_date, workflow, model_id, count(*) as quantity, count(*) as requests,
        sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens
    from calls
    group by charge_date, workflow, model_id
    {%- for kind in ('session', 'user_action') %}
    union all
    select
        '{{ kind }}', days.charge_date, days.workflow, null, sum(case when earlier.id is null then 1 else 0 end),
        sum(days.requests), sum(days.input_tokens), sum(days.output_tokens)
    from {{ kind }}_days as days
    left join {{ kind }}_before as earlier
        on earlier.charge_date = days.charge_date and earlier.workflow is not distinct from days.workflow and earlier.id = days.id
    group by days.charge_date, days.workflow
    {%- endfor %}
)

select
    cast(kind as string) as kind,
    cast(workflow as string) as workflow,
    cast(model_id as string) as model_id,
    cast(quantity as bigint) as quantity,
    cast(requests as bigint) as requests,
    cast(input_tokens as bigint) as input_tokens,
    cast(output_tokens as bigint) as output_tokens,
    charge_date
from counts
