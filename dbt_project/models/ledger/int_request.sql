{{ config(materialized='view') }}
{#- Columns of a merged request that another sighting of it may fill. Keys, teams and deployments are names of one source only. -#}
{%- set filled = ['user_email', 'end_user', 'session_id', 'tag_ticket', 'tag_workflow', 'tag_feature', 'tag_customer',
    'tag_environment', 'tag_task_type', 'user_action_id', 'repo', 'branch', 'attempt', 'agent_step'] -%}
{%- set names = model_request_columns() | map('first') | list -%}
-- Every model request of the days in scope, each once. Sightings with the same answer id, or with the same request id in one
-- source, are one request. Kept is the successful sighting with tokens from the richest source (seed request_sources), then
-- the one with most tokens; what it does not know is filled from the others.
with scope as (
    select distinct source, account, charge_date
    from {{ source('raw', 'scope') }}
    where source in ({{ request_sources() }})
),

handed_over as ({{ handed_over('request_models', model_request_columns()) }}
),

sightings as (
    select requests.*
    from handed_over as requests
    inner join scope
        on scope.source = requests.source
        and scope.account = requests.account
        and scope.charge_date = requests.charge_date
),

-- An answer from a gateway's own cache is no second sighting of the answer it repeats.
identified as (
    select
        source,
        delivery_id,
        ordinal,
        charge_date,
        request_id,
        status,
        (provider_response_id is null and response_alias is null) or is_gateway_cache_hit as is_unnamed,
        case when not is_gateway_cache_hit then provider_response_id end as provider_response_id,
        case when not is_gateway_cache_hit then coalesce(provider_response_id, response_alias) end as answer_id,
        case when not is_gateway_cache_hit then response_alias end as response_alias,
        is_gateway_cache_hit,
        tokens_input_uncached + tokens_cache_read + tokens_cache_write_5m + tokens_cache_write_1h + tokens_cache_write_unspecified
            + tokens_output as tokens
    from sightings
),

-- The same answer under another id: the one a gateway gave its caller, or the provider's id of the request.
aliases as (
    select charge_date, response_alias as alias_id, min(provider_response_id) as answer_id
    from identified
    where response_alias <> provider_response_id
    group by charge_date, response_alias
),

-- One source may name the answer in one line of a request and not in the other.
named_requests as (
    select named.charge_date, named.source, named.request_id, min(named.answer_id) as answer_id
    from identified as named
    inner join (
        select distinct charge_date, source, request_id from identified where is_unnamed and not is_gateway_cache_hit
    ) as unnamed
        on unnamed.charge_date = named.charge_date
        and unnamed.source = named.source
        and unnamed.request_id = named.request_id
    where not named.is_unnamed
    group by named.charge_date, named.source, named.request_id
),

keyed as (
    select
        identified.*,
        coalesce(
            aliases.answer_id, identified.answer_id,
            case when not identified.is_gateway_cache_hit then named_requests.answer_id end,
            concat(identified.source, ' ', identified.request_id)
        ) as request_key,
        coalesce(ranks.sight_rank, 30) as sight_rank
    from identified
    left join aliases on aliases.charge_date = identified.charge_date and aliases.alias_id = identified.answer_id
    left join named_requests
        on named_requests.charge_date = identified.charge_date
        and named_requests.source = identified.source
        and named_requests.request_id = identified.request_id
    left join {{ ref('request_sources') }} as ranks on ranks.source = identified.source
),

-- Chosen by its place in the delivery, so that the sort moves no wide rows.
placed as (
    select
        source,
        delivery_id,
        ordinal,
        charge_date,
        request_key,
        count(*) over (partition by charge_date, request_key) as sightings,
        row_number() over (
            partition by charge_date, request_key
            order by
                case when status = 'success' then 0 else 1 end, case when tokens > 0 then 0 else 1 end, sight_rank, tokens desc,
                source, request_id, delivery_id, ordinal
        ) as place
    from keyed
),

-- Sightings that agree are the rule; where two differ, the alphabetically last value is taken.
others as (
    select
        placed.charge_date,
        placed.request_key
        {%- for name in filled %},
        max(sightings.{{ name }}) as {{ name }}
        {%- endfor %},
        {{ hash_of_rows('sightings.delivery_id') }} as deliveries
    from placed
    inner join sightings
        on sightings.source = placed.source
        and sightings.delivery_id = placed.delivery_id
        and sightings.ordinal = placed.ordinal
    where placed.sightings > 1
    group by placed.charge_date, placed.request_key
)

select
    kept.source
    {%- for name in names if name != 'delivery_id' %},
    {% if name in filled %}coalesce(kept.{{ name }}, others.{{ name }}) as {{ name }}{% else %}kept.{{ name }}{% endif %}
    {%- endfor %},
    -- Another delivery of a merged sighting changes what is filled: the day's digest reads it here.
    coalesce(others.deliveries, kept.delivery_id) as delivery_id,
    cast(placed.sightings as bigint) as sightings
from placed
inner join sightings as kept
    on kept.source = placed.source
    and kept.delivery_id = placed.delivery_id
    and kept.ordinal = placed.ordinal
left join others on others.charge_date = placed.charge_date and others.request_key = placed.request_key
where placed.place = 1
