-- Costs are the money. The line item says model and meter; usage only fills a quantity that the cost row lacks.
with cost as (
    select
        *,
        trim(regexp_extract(lower(line_item), ',([^,]*)$', 1)) as line_item_suffix,
        {{ canonical_model("regexp_replace(line_item, ',[^,]*$', '')") }} as line_item_model,
        {{ row_hash(['account', 'charge_date', 'project_id', 'api_key_id', 'line_item']) }} as line_key
    from {{ ref('stg_openai__costs') }}
    where amount_usd is not null
),

described as (
    select
        cost.*,
        row_number() over (partition by cost.line_key order by cost.delivery_id, cost.ordinal) as ordinal_among_equal,
        case when items.token_meter is not null then cost.line_item_model end as model_name,
        -- OpenAI calls the only meter of an embedding model input.
        case when items.token_meter = 'input' and cost.line_item_model like 'text-embedding%' then 'embedding' else items.token_meter end as token_meter,
        items.token_direction,
        nullif(items.token_cache_action, '') as token_cache_action,
        items.service_tier,
        case
            when items.token_meter = 'input' and cost.line_item_model like 'text-embedding%' then 'Embedding Tokens'
            else items.sku_meter
        end as sku_meter,
        items.units_per_pricing_unit,
        items.pricing_unit,
        case
            when cost.quantity is null then null
            when cost.quantity_unit = 'tokens' then cost.quantity
            when cost.quantity_unit = '1000_tokens' then cast(cost.quantity * cast(1000 as decimal(4, 0)) as decimal(28, 12))
            when items.token_meter is null then cost.quantity
        end as delivered_quantity
    from cost
    left join {{ ref('openai_line_items') }} as items on cost.line_item_suffix = items.line_item_suffix
),

usage_of_meter as (
    select
        account, charge_date, project_id, api_key_id, {{ canonical_model('model') }} as model_name, token_meter,
        case when coalesce(batch, false) then 'batch' else 'default' end as service_tier,
        case token_meter
            when 'input' then coalesce(input_uncached_tokens, input_tokens - coalesce(input_cached_tokens, 0) - coalesce(input_cache_write_tokens, 0))
            when 'cache_read' then input_cached_tokens
            when 'cache_write' then input_cache_write_tokens
            when 'output' then output_tokens
        end as quantity
    from {{ ref('stg_openai__usage_completions') }}
    cross join (
        select 'input' as token_meter
        union all select 'cache_read'
        union all select 'cache_write'
        union all select 'output'
    ) as meters
    union all
    select account, charge_date, project_id, api_key_id, {{ canonical_model('model') }}, 'embedding', 'default', input_tokens
    from {{ ref('stg_openai__usage_embeddings') }}
),

usage_quantity as (
    select
        {{ row_hash(['account', 'charge_date', 'project_id', 'api_key_id', 'model_name', 'token_meter', 'service_tier']) }} as usage_key,
        cast(sum(quantity) as decimal(28, 12)) as quantity
    from usage_of_meter
    group by 1
),

matched as (
    select
        *,
        {{ row_hash(['account', 'charge_date', 'project_id', 'api_key_id', 'model_name', 'token_meter', 'service_tier']) }} as usage_key
    from described
),

measured as (
    select
        matched.*,
        coalesce(
            matched.delivered_quantity,
            -- Two cost rows for one measured quantity would each claim it, so neither does.
            case
                when matched.token_meter is not null and matched.quantity is null
                    and count(*) over (partition by matched.usage_key) = 1 then usage_quantity.quantity
            end
        ) as consumed_quantity
    from matched
    left join usage_quantity on matched.usage_key = usage_quantity.usage_key
),

named as (
    select
        measured.*,
        coalesce(model_names.model_id, measured.model_name) as model_id,
        model_names.model_family,
        model_names.model_developer,
        'openai' as provider_id,
        case measured.token_meter when 'embedding' then 'input' when 'cache_write' then 'cache_write_5m' else measured.token_meter end as price_meter,
        case when measured.service_tier = 'batch' then 'batch' else 'standard' end as price_tier,
        case
            when measured.consumed_quantity is null then null
            when measured.token_meter is not null then 'Tokens'
            else case measured.quantity_unit
                when 'images' then 'Images'
                when 'characters' then 'Characters'
                when 'gibibyte_hours' then 'GiB-Hours'
                when 'duration_seconds' then 'Seconds'
                when 'duration_minutes' then 'Minutes'
                when 'duration_hours' then 'Hours'
                when 'tokens' then 'Tokens'
                when '1000_tokens' then 'Tokens'
                else 'Units'
            end
        end as consumed_unit
    from measured
    left join {{ ref('model_names') }} as model_names on measured.model_name = model_names.model_name
),

needs as (
    select
        provider_id, model_name, price_meter as token_meter, price_tier as tier,
        cast(0 as bigint) as context_from_tokens, charge_date
    from named
    where model_name is not null
),

list_price as ({{ dated_price('needs', 'list') }}),

contract_price as ({{ dated_price('needs', 'contract') }}),

priced as (
    select
        named.*,
        case
            when named.consumed_quantity is null then null
            -- Exact or not at all: below a millionth of a token there is no PricingQuantity.
            when named.token_meter is not null and named.consumed_quantity = cast(named.consumed_quantity as decimal(22, 6))
                then cast(cast(named.consumed_quantity as decimal(22, 6)) * cast(0.000001 as decimal(9, 6)) as decimal(28, 12))
            when named.token_meter is not null then null
            else named.consumed_quantity
        end as pricing_quantity,
        list_price.unit_price as known_list_price,
        coalesce(contract_price.unit_price, list_price.unit_price) as known_contract_price,
        concat(coalesce(named.model_id, named.line_item, 'unknown'), case when named.token_meter is not null then concat('/', named.token_meter) else '' end) as sku_id
    from named
    left join list_price
        on named.model_name = list_price.model_name and named.price_meter = list_price.token_meter
        and named.price_tier = list_price.tier and named.charge_date = list_price.charge_date
    left join contract_price
        on named.model_name = contract_price.model_name and named.price_meter = contract_price.token_meter
        and named.price_tier = contract_price.tier and named.charge_date = contract_price.charge_date
),

meters as (
    select
        *,
        case when pricing_quantity is not null then concat(sku_id, '/', coalesce(service_tier, 'default')) end as sku_price_id,
        case when pricing_quantity is not null then known_list_price end as list_unit_price,
        case when pricing_quantity is not null then known_contract_price end as contracted_unit_price
    from priced
)

select
{{ focus_row({
    'BilledCost': 'amount_usd',
    'BillingAccountId': 'account',
    'BillingCurrency': "upper(coalesce(currency, 'USD'))",
    'BillingPeriodStart': "date_trunc('month', charge_date)",
    'BillingPeriodEnd': "date_trunc('month', charge_date) + interval '1' month",
    'ChargeCategory': "'Usage'",
    'ChargeDescription': 'line_item',
    'ChargeFrequency': "'Usage-Based'",
    'ChargePeriodStart': 'charge_date',
    'ChargePeriodEnd': "charge_date + interval '1' day",
    'ConsumedQuantity': 'consumed_quantity',
    'ConsumedUnit': 'consumed_unit',
    'ContractedCost': 'coalesce(' ~ decimal_product('pricing_quantity', 'contracted_unit_price') ~ ', amount_usd)',
    'ContractedUnitPrice': 'contracted_unit_price',
    'EffectiveCost': 'amount_usd',
    'HostProviderName': "'OpenAI'",
    'InvoiceIssuerName': "'OpenAI'",
    'ListCost': 'coalesce(' ~ decimal_product('pricing_quantity', 'list_unit_price') ~ ', amount_usd)',
    'ListUnitPrice': 'list_unit_price',
    'PricingCategory': "case when sku_price_id is not null then 'Standard' end",
    'PricingQuantity': 'pricing_quantity',
    'PricingUnit': "case when pricing_quantity is not null then case when token_meter is not null then '1000000 Tokens' else consumed_unit end end",
    'ServiceCategory': "'AI and Machine Learning'",
    'ServiceName': "'OpenAI API'",
    'ServiceProviderName': "'OpenAI'",
    'ServiceSubcategory': "'Generative AI'",
    'SkuId': 'sku_id',
    'SkuMeter': 'coalesce(sku_meter, line_item)',
    'SkuPriceDetails': 'case when sku_price_id is not null then ' ~ json_object_text({
        'x_ModelDeveloper': 'model_developer', 'x_ModelFamily': 'model_family', 'x_ModelId': 'model_id',
        'x_TokenDirection': 'token_direction', 'x_TokenCacheAction': 'token_cache_action', 'x_ServiceTier': 'service_tier'}) ~ ' end',
    'SkuPriceId': 'sku_price_id',
    'SubAccountId': 'project_id',
    'SubAccountType': "case when project_id is not null then 'Project' end",
    'x_charge_id': row_hash(["'openai'", 'line_key', 'ordinal_among_equal']),
    'x_SourceId': "'openai'",
    'x_Account': 'account',
    'x_FocusVersionIn': "'native'",
    'x_Delivery': 'delivery_id',
    'x_ModelId': 'model_id',
    'x_ModelFamily': 'model_family',
    'x_ModelDeveloper': "case when model_id is not null then coalesce(model_developer, 'OpenAI') end",
    'x_TokenMeter': 'token_meter',
    'x_TokenDirection': 'token_direction',
    'x_TokenCacheAction': 'token_cache_action',
    'x_ServiceTier': 'service_tier',
    'x_CredentialId': 'api_key_id',
    'x_WorkspaceId': 'project_id',
    'x_BilledCostRemainder': 'amount_usd_remainder',
}) }}
from meters
