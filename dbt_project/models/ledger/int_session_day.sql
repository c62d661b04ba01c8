{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope('(select distinct charge_date from ' ~ source('raw', 'scope') ~ ' where source in (' ~ request_sources() ~ '))', {'charge_date': 'charge_date'}) }}",
) }}
with scope as (
    select distinct charge_date from {{ source('raw', 'scope') }} where source in ({{ request_sources() }})
)

select
    calls.account,
    calls.session_id,
    calls.repo,
    calls.branch,
    cast(min(calls.ticket_key) as string) as first_ticket,
    cast(max(calls.ticket_key) as string) as last_ticket,
    min(calls.started_at) as first_at,
    max(calls.started_at) as last_at,
    calls.charge_date
from {{ ref('fct_model_call') }} as calls
inner join scope on scope.charge_date = calls.charge_date
where calls.session_id is not null and not calls.is_gateway_cache_hit
group by calls.charge_date, calls.account, calls.session_id, calls.repo, calls.branch
