{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope('(select distinct charge_date from ' ~ source('raw', 'scope') ~ ' where source in (' ~ request_sources() ~ '))', {'charge_date': 'charge_date'}) }}",
) }}
-- Failed, refused and repeated requests keep their tokens and their cost in the ledger; here they are seen. A model that
-- gave no output on a day at all makes embeddings, so silence of one of its requests is no refusal.
with scope as (
    select distinct charge_date from {{ source('raw', 'scope') }} where source in ({{ request_sources() }})
),

calls as (
    select
        calls.*,
        sum(calls.tokens_output) over (partition by calls.charge_date, calls.model_id) as output_of_model
    from {{ ref('fct_model_call') }} as calls
    inner join scope on scope.charge_date = calls.charge_date
)

select
    cast(coalesce(workflow, owner_workflow) as string) as workflow,
    cast(team as string) as team,
    cast(model_id as string) as model_id,
    cast(case
        when is_gateway_cache_hit then 'cached'
        when status = 'failure' then 'failed'
        when tokens_output = 0 and output_of_model > 0 then 'refused or empty'
        else 'answered'
    end as string) as outcome,
    is_retry,
    cast(count(*) as bigint) as calls,
    cast(sum(tokens_total) as bigint) as tokens,
    cast(sum(list_cost_usd) as decimal(38, 14)) as list_cost_usd,
    charge_date
from calls
group by
    charge_date, coalesce(workflow, owner_workflow), team, model_id, is_retry,
    case
        when is_gateway_cache_hit then 'cached'
        when status = 'failure' then 'failed'
        when tokens_output = 0 and output_of_model > 0 then 'refused or empty'
        else 'answered'
    end
