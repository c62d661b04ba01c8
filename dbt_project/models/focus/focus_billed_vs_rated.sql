-- Two independent views of one day: what was billed, and what the reported tokens cost at the company's prices. Only days
-- rebuilt in this run, because only their usage is loaded.
with usage_of_meter as (
    select
        'anthropic' as source, 'anthropic' as provider_id, report.account, report.charge_date,
        {{ canonical_model('report.model') }} as model_name,
        meters.token_meter,
        coalesce(report.service_tier, 'standard') as tier,
        case when report.context_window = '200k-1M' then 200001 else 0 end as context_from_tokens,
        case meters.token_meter
            when 'input' then report.uncached_input_tokens
            when 'cache_read' then report.cache_read_input_tokens
            when 'cache_write_5m' then report.cache_creation_5m_input_tokens
            when 'cache_write_1h' then report.cache_creation_1h_input_tokens
            when 'output' then report.output_tokens
        end as tokens
    from {{ ref('stg_anthropic__usage_messages') }} as report
    cross join (
        select 'input' as token_meter
        union all select 'cache_read'
        union all select 'cache_write_5m'
        union all select 'cache_write_1h'
        union all select 'output'
    ) as meters
    -- Committed tiers never appear in the cost report.
    where coalesce(report.service_tier, 'standard') <> 'priority'
    union all
    select
        'openai', 'openai', report.account, report.charge_date,
        {{ canonical_model('report.model') }},
        meters.token_meter,
        case when coalesce(report.batch, false) then 'batch' when coalesce(report.service_tier, 'default') = 'default' then 'standard' else report.service_tier end,
        0,
        case meters.token_meter
            when 'input' then coalesce(report.input_uncached_tokens, report.input_tokens - coalesce(report.input_cached_tokens, 0) - coalesce(report.input_cache_write_tokens, 0))
            when 'cache_read' then report.input_cached_tokens
            when 'cache_write_5m' then report.input_cache_write_tokens
            when 'output' then report.output_tokens
        end
    from {{ ref('stg_openai__usage_completions') }} as report
    cross join (
        select 'input' as token_meter
        union all select 'cache_read'
        union all select 'cache_write_5m'
        union all select 'output'
    ) as meters
    union all
    select
        'openai', 'openai', account, charge_date, {{ canonical_model('model') }}, 'input', 'standard', 0, input_tokens
    from {{ ref('stg_openai__usage_embeddings') }}
    union all
    select
        source, price_provider, account, charge_date, {{ canonical_model('model_name') }},
        case token_meter when 'embedding' then 'input' when 'cache_write' then 'cache_write_5m' else token_meter end,
        case when coalesce(service_tier, 'default') = 'default' then 'standard' else service_tier end,
        context_from_tokens, tokens
    from (
        {{ handed_over('usage_models', vendor_usage_columns()) }}
    ) as vendor_usage
),

measured as (
    select
        usage.source, usage.provider_id, usage.account, usage.charge_date,
        coalesce(names.model_id, usage.model_name) as model_name,
        usage.token_meter, usage.tier, cast(usage.context_from_tokens as bigint) as context_from_tokens,
        cast(sum(usage.tokens) as bigint) as tokens,
        cast(0 as decimal(38, 14)) as billed_cost
    from usage_of_meter as usage
    left join {{ ref('model_names') }} as names on usage.model_name = names.model_name
    where usage.tokens > 0
    group by 1, 2, 3, 4, 5, 6, 7, 8
),

-- Which catalogue rates a source's model; charges do not say it.
rated_models as (
    select source, model_name, min(provider_id) as provider_id from measured group by source, model_name
),

billed as (
    select
        charge.x_SourceId as source,
        coalesce(rated_models.provider_id, charge.x_SourceId) as provider_id,
        charge.x_Account as account, charge.charge_date,
        charge.x_ModelId as model_name,
        -- A charge over all tokens of a model counts as priced when the model has an input price.
        case charge.x_TokenMeter when 'embedding' then 'input' when 'cache_write' then 'cache_write_5m' else coalesce(charge.x_TokenMeter, 'input') end as token_meter,
        case when coalesce(charge.x_ServiceTier, 'default') = 'default' then 'standard' else charge.x_ServiceTier end as tier,
        cast(case when charge.x_ContextWindow = '200k-1M' then 200001 else 0 end as bigint) as context_from_tokens,
        cast(0 as bigint) as tokens,
        cast(sum(charge.BilledCost) as decimal(38, 14)) as billed_cost
    from {{ ref('int_booked_charge') }} as charge
    inner join {{ ref('int_focus_scope') }} as scope
        on charge.x_SourceId = scope.source and charge.x_Account = scope.account and charge.charge_date = scope.charge_date
    left join rated_models on rated_models.source = charge.x_SourceId and rated_models.model_name = charge.x_ModelId
    where (charge.x_SourceId in ('anthropic', 'openai') and charge.x_TokenMeter is not null)
        or (
            charge.x_ModelId is not null and charge.ChargeCategory = 'Usage'
            and charge.x_SourceId in ({% for model in models_on('usage_models') %}'{{ model[4:].split('__')[0] }}', {% endfor %}'')
        )
    group by 1, 2, 3, 4, 5, 6, 7, 8
),

both_sides as (
    select * from measured
    union all
    select * from billed
),

list_price as ({{ dated_price('both_sides', 'list') }}),

contract_price as ({{ dated_price('both_sides', 'contract') }}),

rated as (
    select
        both_sides.*,
        coalesce(contract_price.unit_price, list_price.unit_price) as unit_price
    from both_sides
    left join list_price
        on both_sides.provider_id = list_price.provider_id and both_sides.model_name = list_price.model_name
        and both_sides.token_meter = list_price.token_meter and both_sides.tier = list_price.tier
        and both_sides.context_from_tokens = list_price.context_from_tokens and both_sides.charge_date = list_price.charge_date
    left join contract_price
        on both_sides.provider_id = contract_price.provider_id and both_sides.model_name = contract_price.model_name
        and both_sides.token_meter = contract_price.token_meter and both_sides.tier = contract_price.tier
        and both_sides.context_from_tokens = contract_price.context_from_tokens and both_sides.charge_date = contract_price.charge_date
),

days as (
    select
        source,
        account,
        charge_date,
        cast(sum(case when unit_price is not null then billed_cost else 0 end) as decimal(38, 14)) as billed_cost,
        cast(sum(coalesce({{ decimal_product('cast(tokens * cast(0.000001 as decimal(9, 6)) as decimal(28, 12))', 'unit_price') }}, 0)) as decimal(38, 14)) as rated_cost,
        cast(sum(case when unit_price is null then billed_cost else 0 end) as decimal(38, 14)) as unpriced_billed_cost,
        cast(sum(case when unit_price is null then tokens else 0 end) as bigint) as unpriced_tokens,
        cast(0.97 as decimal(5, 4)) as band_lo,
        cast(1.03 as decimal(5, 4)) as band_hi
    from rated
    group by source, account, charge_date
)

select
    source,
    account,
    billed_cost,
    rated_cost,
    cast(billed_cost / nullif(rated_cost, 0) as decimal(18, 6)) as ratio,
    band_lo,
    band_hi,
    case
        when billed_cost = 0 and rated_cost = 0 then 'no price'
        when rated_cost = 0 then 'no usage'
        when billed_cost = 0 then 'no bill'
        when cast(billed_cost as decimal(32, 14)) >= cast(rated_cost as decimal(32, 14)) * band_lo
            and cast(billed_cost as decimal(32, 14)) <= cast(rated_cost as decimal(32, 14)) * band_hi then 'in band'
        -- A quiet day is decided by its amount: a few refused requests move its ratio, not the bill.
        when abs(billed_cost - rated_cost) <= {{ var('band_materiality') }} then 'in band'
        else 'outside band'
    end as state,
    unpriced_billed_cost,
    unpriced_tokens,
    charge_date
from days
