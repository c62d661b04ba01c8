-- Billed dollars rule (cost report); tokens of the usage report say which key they belong to.
with default_workspace as (
    select account, min(id) as workspace_id
    from {{ ref('stg_anthropic__workspaces') }}
    where is_default
    group by account
),

token_meters as (
    select 'uncached_input_tokens' as token_type, 'input' as token_meter, 'Input' as direction, 'Uncached' as cache_action, 'Input Tokens' as sku_meter
    union all
    select 'cache_read_input_tokens', 'cache_read', 'Input', 'Read', 'Cache Read Input Tokens'
    union all
    select 'cache_creation.ephemeral_5m_input_tokens', 'cache_write_5m', 'Input', 'Write', 'Cache Write Input Tokens'
    union all
    select 'cache_creation.ephemeral_1h_input_tokens', 'cache_write_1h', 'Input', 'Write', 'Cache Write Input Tokens'
    union all
    select 'output_tokens', 'output', 'Output', null, 'Output Tokens'
),

-- The default workspace is null in some answers and a real id in others: null here, its id again at the end.
cost as (
    select
        report.account,
        report.charge_date,
        nullif(report.workspace_id, default_workspace.workspace_id) as workspace_id,
        coalesce(report.cost_type, 'tokens') as cost_type,
        report.token_type,
        report.model,
        coalesce(report.service_tier, 'standard') as service_tier,
        coalesce(report.context_window, '0-200k') as context_window,
        coalesce(report.inference_geo, 'not_available') as inference_geo,
        upper(coalesce(report.currency, 'USD')) as currency,
        sum(report.amount_usd) as amount,
        sum(report.amount_usd_remainder) as amount_remainder,
        max(report.description) as description,
        max(report.delivery_id) as delivery_id
    from {{ ref('stg_anthropic__cost_report') }} as report
    left join default_workspace on report.account = default_workspace.account
    where report.amount_usd is not null
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
),

cost_keyed as (
    select
        cost.*,
        token_meters.token_meter,
        token_meters.direction,
        token_meters.cache_action,
        coalesce(token_meters.sku_meter, case cost.cost_type
            when 'web_search' then 'Web Searches'
            when 'code_execution' then 'Code Execution'
            when 'session_usage' then 'Agent Sessions'
            else coalesce(cost.token_type, cost.cost_type)
        end) as sku_meter,
        case
            when cost.cost_type = 'tokens' then {{ row_hash(['cost.account', 'cost.charge_date', 'cost.workspace_id', 'cost.model', 'token_meters.token_meter', 'cost.service_tier', 'cost.context_window', 'cost.inference_geo']) }}
            when cost.cost_type = 'web_search' then {{ row_hash(['cost.account', 'cost.charge_date', 'cost.workspace_id', 'cost.model', "'web_search'"]) }}
        end as match_key,
        {{ row_hash(['cost.account', 'cost.charge_date', 'cost.workspace_id', 'cost.cost_type', 'cost.token_type', 'cost.model', 'cost.service_tier', 'cost.context_window', 'cost.inference_geo', 'cost.currency']) }} as cost_key
    from cost
    left join token_meters on cost.cost_type = 'tokens' and cost.token_type = token_meters.token_type
),

usage as (
    select
        report.account,
        report.charge_date,
        nullif(report.workspace_id, default_workspace.workspace_id) as workspace_id,
        report.model,
        coalesce(report.service_tier, 'standard') as service_tier,
        coalesce(report.context_window, '0-200k') as context_window,
        coalesce(report.inference_geo, 'not_available') as inference_geo,
        report.api_key_id,
        report.account_id,
        report.service_account_id,
        report.uncached_input_tokens,
        report.cache_read_input_tokens,
        report.cache_creation_5m_input_tokens,
        report.cache_creation_1h_input_tokens,
        report.output_tokens,
        report.web_search_requests
    from {{ ref('stg_anthropic__usage_messages') }} as report
    left join default_workspace on report.account = default_workspace.account
),

usage_of_meter as (
    select
        {{ row_hash(['usage.account', 'usage.charge_date', 'usage.workspace_id', 'usage.model', 'token_meters.token_meter', 'usage.service_tier', 'usage.context_window', 'usage.inference_geo']) }} as match_key,
        usage.api_key_id,
        usage.account_id,
        usage.service_account_id,
        case token_meters.token_meter
            when 'input' then usage.uncached_input_tokens
            when 'cache_read' then usage.cache_read_input_tokens
            when 'cache_write_5m' then usage.cache_creation_5m_input_tokens
            when 'cache_write_1h' then usage.cache_creation_1h_input_tokens
            when 'output' then usage.output_tokens
        end as quantity
    from usage
    cross join token_meters
    union all
    select
        {{ row_hash(['account', 'charge_date', 'workspace_id', 'model', "'web_search'"]) }},
        api_key_id, account_id, service_account_id, web_search_requests
    from usage
    union all
    -- A web search cost row without a model is shared out over the searches of every model.
    select
        {{ row_hash(['account', 'charge_date', 'workspace_id', 'cast(null as string)', "'web_search'"]) }},
        api_key_id, account_id, service_account_id, web_search_requests
    from usage
    where model is not null
),

usage_by_key as (
    select
        match_key,
        api_key_id,
        account_id,
        service_account_id,
        {{ row_hash(['api_key_id', 'account_id', 'service_account_id']) }} as credential_key,
        cast(sum(quantity) as bigint) as quantity
    from usage_of_meter
    where quantity > 0
    group by 1, 2, 3, 4
),

weighted as (
    select
        cost_keyed.*,
        usage_by_key.api_key_id,
        usage_by_key.account_id,
        usage_by_key.service_account_id,
        coalesce(usage_by_key.credential_key, '') as credential_key,
        usage_by_key.quantity
    from cost_keyed
    left join usage_by_key on cost_keyed.match_key = usage_by_key.match_key
),

shared as (
    {{ largest_remainder(
        relation='weighted', partition_by=['cost_key'], order_by=['credential_key'], weight='quantity',
        columns=['account', 'charge_date', 'workspace_id', 'cost_type', 'token_type', 'token_meter', 'direction', 'cache_action',
                 'sku_meter', 'model', 'service_tier', 'context_window', 'inference_geo', 'currency', 'description',
                 'delivery_id', 'cost_key', 'amount_remainder', 'api_key_id', 'account_id', 'service_account_id', 'credential_key', 'quantity'],
        amounts={'amount': 'billed_cost'}, share=none) }}
),

named as (
    select
        shared.*,
        default_workspace.workspace_id as default_workspace_id,
        {{ canonical_model('shared.model') }} as model_name,
        model_names.model_id as known_model_id,
        model_names.model_family,
        model_names.model_developer,
        'anthropic' as provider_id,
        coalesce(shared.token_meter, shared.cost_type) as price_meter,
        case when shared.context_window = '200k-1M' then 200001 else 0 end as band_from_tokens
    from shared
    left join default_workspace on shared.account = default_workspace.account
    left join {{ ref('model_names') }} as model_names on {{ canonical_model('shared.model') }} = model_names.model_name
),

needs as (
    select
        provider_id, model_name, price_meter as token_meter, service_tier as tier,
        band_from_tokens as context_from_tokens, charge_date
    from named
    where model_name is not null
),

list_price as ({{ dated_price('needs', 'list') }}),

contract_price as ({{ dated_price('needs', 'contract') }}),

priced as (
    select
        named.*,
        coalesce(named.known_model_id, named.model_name) as model_id,
        case when named.token_meter is not null then 'Tokens' when named.cost_type = 'web_search' then 'Requests' end as consumed_unit,
        cast(named.quantity * cast(0.000001 as decimal(9, 6)) as decimal(28, 12)) as pricing_quantity,
        list_price.unit_price as list_unit_price,
        coalesce(contract_price.unit_price, list_price.unit_price) as contracted_unit_price
    from named
    left join list_price
        on named.provider_id = list_price.provider_id and named.model_name = list_price.model_name
        and named.price_meter = list_price.token_meter and named.service_tier = list_price.tier
        and named.band_from_tokens = list_price.context_from_tokens and named.charge_date = list_price.charge_date
    left join contract_price
        on named.provider_id = contract_price.provider_id and named.model_name = contract_price.model_name
        and named.price_meter = contract_price.token_meter and named.service_tier = contract_price.tier
        and named.band_from_tokens = contract_price.context_from_tokens and named.charge_date = contract_price.charge_date
),

meters as (
    select
        *,
        concat(coalesce(model_id, 'any'), '/', price_meter) as sku_id,
        case
            when quantity is not null then concat(coalesce(model_id, 'any'), '/', price_meter, '/', service_tier, '/', context_window)
        end as sku_price_id,
        case when quantity is not null then list_unit_price end as list_price_here,
        case when quantity is not null then contracted_unit_price end as contracted_price_here
    from priced
)

-- Below the ledger's scale nothing is shared out: the first key of a cost carries the remainder.
select
{{ focus_row({
    'BilledCost': 'billed_cost',
    'BillingAccountId': 'account',
    'BillingCurrency': 'currency',
    'BillingPeriodStart': "date_trunc('month', charge_date)",
    'BillingPeriodEnd': "date_trunc('month', charge_date) + interval '1' month",
    'ChargeCategory': "'Usage'",
    'ChargeDescription': 'description',
    'ChargeFrequency': "'Usage-Based'",
    'ChargePeriodStart': 'charge_date',
    'ChargePeriodEnd': "charge_date + interval '1' day",
    'ConsumedQuantity': 'quantity',
    'ConsumedUnit': 'case when quantity is not null then consumed_unit end',
    'ContractedCost': 'coalesce(' ~ decimal_product('pricing_quantity', 'contracted_price_here') ~ ', billed_cost)',
    'ContractedUnitPrice': 'contracted_price_here',
    'EffectiveCost': 'billed_cost',
    'HostProviderName': "'Anthropic'",
    'InvoiceIssuerName': "'Anthropic'",
    'ListCost': 'coalesce(' ~ decimal_product('pricing_quantity', 'list_price_here') ~ ', billed_cost)',
    'ListUnitPrice': 'list_price_here',
    'PricingCategory': "case when sku_price_id is not null then 'Standard' end",
    'PricingQuantity': 'pricing_quantity',
    'PricingUnit': "case when quantity is not null then concat('1000000 ', consumed_unit) end",
    'ServiceCategory': "'AI and Machine Learning'",
    'ServiceName': "'Claude API'",
    'ServiceProviderName': "'Anthropic'",
    'ServiceSubcategory': "'Generative AI'",
    'SkuId': 'sku_id',
    'SkuMeter': 'sku_meter',
    'SkuPriceDetails': 'case when sku_price_id is not null then ' ~ json_object_text({
        'x_ModelDeveloper': 'model_developer', 'x_ModelFamily': 'model_family', 'x_ModelId': 'model_id',
        'x_TokenDirection': 'direction', 'x_TokenCacheAction': 'cache_action', 'x_ServiceTier': 'service_tier',
        'x_ContextWindow': 'context_window', 'x_InferenceGeo': 'inference_geo'}) ~ ' end',
    'SkuPriceId': 'sku_price_id',
    'SubAccountId': 'coalesce(workspace_id, default_workspace_id)',
    'SubAccountType': "case when coalesce(workspace_id, default_workspace_id) is not null then 'Workspace' end",
    'x_charge_id': row_hash(["'anthropic'", 'cost_key', 'api_key_id', 'account_id', 'service_account_id']),
    'x_SourceId': "'anthropic'",
    'x_Account': 'account',
    'x_FocusVersionIn': "'native'",
    'x_Delivery': 'delivery_id',
    'x_ModelId': 'model_id',
    'x_ModelFamily': 'model_family',
    'x_ModelDeveloper': "case when model_id is not null then coalesce(model_developer, 'Anthropic') end",
    'x_TokenMeter': 'token_meter',
    'x_TokenDirection': 'direction',
    'x_TokenCacheAction': 'cache_action',
    'x_ServiceTier': 'service_tier',
    'x_ContextWindow': 'context_window',
    'x_CredentialId': 'api_key_id',
    'x_PrincipalId': 'coalesce(account_id, service_account_id)',
    'x_WorkspaceId': 'coalesce(workspace_id, default_workspace_id)',
    'x_BilledCostRemainder': 'case when key_number = 1 then amount_remainder else 0 end',
    'x_ResidualName': "case when match_key_missing then 'cost_without_usage' end",
}) }}
from (
    select
        *,
        quantity is null and cost_type in ('tokens', 'web_search') as match_key_missing,
        row_number() over (partition by cost_key order by credential_key) as key_number
    from meters
) as meter_rows
