{#- Azure bills: how a line of an actual or amortized export becomes a FOCUS row, and what a meter's name says about AI. The
    same for exports that are read and for files that are dropped. -#}

{#- Words of a meter name, one blank between and around them: `gpt-4o-0806-Inp-glbl Tokens` gives ` gpt 4o 0806 inp glbl tokens `. -#}
{% macro azure_words(text) -%}
concat(' ', {{ replace_all_matches("translate(lower(" ~ text ~ "), '-_./', '    ')", ' +', ' ') }}, ' ')
{%- endmacro %}

{#- True for meters of models that Azure sells itself. `category`: lower-case meter category, subcategory and service. -#}
{% macro is_azure_model(category) -%}
(
    {{ category }} like '%azure openai%' or {{ category }} like '%foundry models%'
    or regexp_extract({{ category }}, 'azure [a-z0-9]+ models', 0) <> ''
)
{%- endmacro %}

{#- Disjoint token class of a meter from its words (azure_words); null for what is not tokens: provisioned units, training,
    hosting, sound, pictures, tools. Spellings differ from model to model, so every one that was met is listed. -#}
{% macro azure_token_meter(words) -%}
case
    when regexp_extract({{ words }}, ' (provisioned|ptu|hosting|training|trng|ft|image|img|audio|aud|realtime|rt|tts|whisper|transcribe|trscb|sora|dall|video|search|session|storage) ', 0) <> '' then null
    when {{ words }} like '%embed%' then 'embedding'
    when regexp_extract({{ words }}, ' (cd|cached|cchd|cched|ccchd|cache) (wr|write) ', 0) <> '' then 'cache_write'
    when regexp_extract({{ words }}, ' (cd|cached|cchd|cched|ccchd|cache) ', 0) <> '' then 'cache_read'
    when regexp_extract({{ words }}, ' (outp|outpt|opt|out|output|completion) ', 0) <> '' then 'output'
    when regexp_extract({{ words }}, ' (inp|inpt|in|input|prompt) ', 0) <> '' then 'input'
end
{%- endmacro %}

{#- Processing tier of a meter from its words. PP is read as priority processing: seen, not documented. -#}
{% macro azure_service_tier(words) -%}
case
    when regexp_extract({{ words }}, ' (batch|btch) ', 0) <> '' then 'batch'
    when regexp_extract({{ words }}, ' (fl|flex) ', 0) <> '' then 'flex'
    when regexp_extract({{ words }}, ' (pp|priority) ', 0) <> '' then 'priority'
    else 'standard'
end
{%- endmacro %}

{#- Where a deployment may run: Global, Data Zone or Regional; null when the meter does not say. -#}
{% macro azure_deployment_scope(words) -%}
case
    when regexp_extract({{ words }}, ' (glbl|gl|glb|global) ', 0) <> '' then 'Global'
    when regexp_extract({{ words }}, ' (data zone|dzone|dz|dzn|datazone) ', 0) <> '' then 'Data Zone'
    when regexp_extract({{ words }}, ' (regnl|rgnl|regional|regn) ', 0) <> '' then 'Regional'
end
{%- endmacro %}

{#- Text to match model names in. A name that starts with its version (`5.4 mini cd Inp`) gets its family from the category. -#}
{% macro azure_model_text(category, words) -%}
{{ model_text("concat('azure', case when regexp_extract(" ~ words ~ ", '^ [0-9]', 0) = '' then '' when " ~ category ~ " like '%grok%' then 'grok' when " ~ category ~ " like '%openai%' then 'gpt' else 'unnamed' end, " ~ words ~ ')') }}
{%- endmacro %}

{#- Units in one pricing block of a unit of measure: `1K` 1000, `1M` 1000000, `100 Hours` 100. -#}
{% macro azure_block_size(unit) -%}
coalesce(try_cast(regexp_extract({{ unit }}, '^([0-9]+)', 1) as bigint), 1)
* case regexp_extract({{ unit }}, '^[0-9]+([KM])', 1) when 'K' then 1000 when 'M' then 1000000 else 1 end
{%- endmacro %}

{#- Spend source of an Azure line from lower-case text of its product and meter; null where only the service map knows. -#}
{% macro azure_spend_source(text) -%}
case
    when {{ text }} like '%github copilot%' or regexp_extract({{ text }}, 'github.*copilot', 0) <> '' then 'developer_ai_tool'
    when {{ text }} like '%microsoft 365 copilot%' or {{ text }} like '%copilot studio%' or {{ text }} like '%security copilot%' then 'ai_in_saas'
    when {{ is_accelerator(text) }} or regexp_extract({{ text }}, '(^| )n[cdv][0-9a-z]*[_ ][0-9a-z_ ]*series', 0) <> '' then 'ai_infrastructure'
end
{%- endmacro %}

{#- A landed actual or amortized export (every column text) with typed columns, one row per landed row. -#}
{% macro stage_azure_cost(relation) %}
{%- set texts = [
    'cost_view', 'billing_account_id', 'billing_account_name', 'billing_profile_id', 'billing_profile_name',
    'subscription_id', 'subscription_name', 'product_name', 'part_number', 'meter_id', 'service_family', 'meter_category',
    'meter_subcategory', 'meter_region', 'meter_name', 'billing_currency', 'resource_location', 'availability_zone',
    'consumed_service', 'resource_id', 'resource_name', 'additional_info', 'tags_text', 'cost_center', 'unit_of_measure',
    'resource_group', 'reservation_id', 'reservation_name', 'product_order_id', 'product_order_name', 'offer_id', 'term',
    'publisher_name', 'publisher_type', 'plan_name', 'charge_type', 'frequency', 'pricing_model', 'invoice_section_id',
    'invoice_section_name', 'benefit_id', 'benefit_name', 'x_extra', 'file_name'
] -%}
{%- set instants = ['billing_period_start', 'billing_period_end', 'usage_date'] -%}
{%- set numbers = {
    'quantity': [28, 12], 'effective_price': [28, 16], 'cost': [38, 14], 'unit_price': [28, 16], 'payg_price': [28, 16]
} -%}
{%- set scaled = {} -%}
{%- for name, (precision, scale) in numbers.items() %}{% do scaled.update({name: [name, precision, scale]}) %}{% endfor -%}
with lines as (
    {{ billing_lines(relation, texts[:-1] + instants + numbers | list) }}
)

select
    {{ billing_line_keys() }},
    {%- for name in texts %}
    {{ name }},
    {%- endfor %}
    {%- for name in instants %}
    {{ utc_from_text(name) }} as {{ name }},
    {%- endfor %}
    {%- for name, (precision, scale) in numbers.items() %}
    try_cast({{ name }} as decimal({{ precision }}, {{ scale }})) as {{ name }},
    {%- endfor %}
    {{ cost_remainder('cost') }} as cost_remainder,
    {{ json_object_text(delivered_beyond_scale(scaled)) }} as delivered_numbers,
    {{ line_problem(
        ['cost', 'billing_currency', 'usage_date', 'billing_account_id', 'cost_view', 'charge_type'], instants, numbers
    ) }} as problem
from lines
{% endmacro %}

{#- Lines of a staged Azure cost export (stage_azure_cost) as rows of the contract.
    The two views differ only where a commitment pays. On a day that has both, commitments come from the actual view with
    their purchase and from the amortized view with what they covered and left unused; all else comes from the actual view.
    An unknown pricing currency (MCA) leaves prices out rather than calling them billing currency. -#}
{% macro azure_rows_from_lines(relation) %}
with lines as (
    select
        *,
        max(case when cost_view = 'actual' then 1 else 0 end) over (partition by billing_account_id, usage_date) = 1 as has_actual,
        max(case when cost_view = 'amortized' then 1 else 0 end) over (partition by billing_account_id, usage_date) = 1 as has_amortized,
        coalesce(billing_period_start, date_trunc('month', usage_date)) as period_start,
        case
            when left(trim(tags_text), 1) = '{' then tags_text
            when trim(tags_text) <> '' then concat('{', tags_text, '}')
        end as tags_json,
        trim(regexp_replace(unit_of_measure, '^[0-9]+[KM]?', '')) as unit_text,
        {{ azure_block_size('unit_of_measure') }} as block_size,
        charge_type in ('UnusedReservation', 'UnusedSavingsPlan') as is_unused,
        coalesce(pricing_model, '') in ('Reservation', 'SavingsPlan') or charge_type in ('UnusedReservation', 'UnusedSavingsPlan') as is_commitment,
        {{ azure_words('meter_name') }} as words,
        lower(concat_ws(' ', meter_category, meter_subcategory, product_name)) as category_text,
        coalesce({{ json_text('x_extra', 'pricingCurrency') }}, {{ json_text('x_extra', 'PricingCurrency') }}, billing_currency) as pricing_currency,
        coalesce({{ json_text('x_extra', 'exchangeRatePricingToBilling') }}, {{ json_text('x_extra', 'ExchangeRatePricingToBilling') }}) as exchange_rate,
        coalesce({{ json_text('x_extra', 'invoiceId') }}, {{ json_text('x_extra', 'InvoiceId') }}) as delivered_invoice_id
    from {{ relation }}
    where problem is null
),

typed as (
    select
        *,
        cost_view = 'amortized' and has_actual and not is_commitment as is_repeated,
        cost_view = 'actual' and has_amortized and is_commitment and charge_type = 'Usage' and cost = 0 as is_told_by_amortized,
        case
            when period_start = date_trunc('month', period_start) then period_start + interval '1' month
            else coalesce(billing_period_end, period_start) + interval '1' day
        end as period_end,
        case
            when charge_type in ('Usage', 'UnusedReservation', 'UnusedSavingsPlan') then 'Usage'
            when charge_type = 'Purchase' then 'Purchase'
            when charge_type = 'Tax' then 'Tax'
            when charge_type = 'Credit' then 'Credit'
            else 'Adjustment'
        end as charge_category,
        coalesce(benefit_id, reservation_id) as commitment_id,
        case when charge_type = 'Usage' and block_size >= 1000 and {{ is_azure_model('category_text') }} then {{ azure_token_meter('words') }} end as token_meter,
        case when {{ is_azure_model('category_text') }} then {{ azure_model_text('category_text', 'words') }} end as model_text,
        try_cast(exchange_rate as decimal(28, 16)) as price_rate,
        case
            when unit_text = '' then 'Units'
            when left(unit_text, 1) = '/' then concat('Units', unit_text)
            when unit_text in ('Hour', 'Day', 'Month', 'Minute', 'Second') then concat(unit_text, 's')
            else unit_text
        end as unit_name
    from lines
),

costed as (
    select
        *,
        charge_category = 'Usage' and not is_unused and quantity is not null as is_measured,
        charge_category in ('Usage', 'Purchase') as is_priced,
        case when charge_category = 'Usage' and is_commitment and cost_view = 'amortized' then 0 else cost end as billed_cost,
        case when charge_category = 'Purchase' and is_commitment then 0 else cost end as effective_cost,
        -- 0 is what the export writes for "no list price" on covered rows.
        case when charge_category in ('Usage', 'Purchase') and (payg_price <> 0 or not is_commitment) then
            case when pricing_currency = billing_currency then payg_price else {{ decimal_product('price_rate', 'payg_price', 16) }} end
        end as list_price,
        case when charge_category in ('Usage', 'Purchase') and (unit_price <> 0 or not is_commitment) then
            case when pricing_currency = billing_currency then unit_price else {{ decimal_product('price_rate', 'unit_price', 16) }} end
        end as contracted_price
    from typed
    where not is_repeated and not is_told_by_amortized
),

models as (
    {{ match_models('costed') }}
)

select
    {{ focus_row({
        'AvailabilityZone': 'lines.availability_zone',
        'BilledCost': 'lines.billed_cost',
        'BillingAccountId': "case when left(lines.billing_account_id, 1) = '/' then lines.billing_account_id else concat('/providers/Microsoft.Billing/billingAccounts/', lines.billing_account_id) end",
        'BillingAccountName': 'lines.billing_account_name',
        'BillingCurrency': 'lines.billing_currency',
        'BillingPeriodEnd': 'lines.period_end',
        'BillingPeriodStart': 'lines.period_start',
        'ChargeCategory': 'lines.charge_category',
        'ChargeDescription': 'lines.product_name',
        'ChargeFrequency': "case
            when lines.charge_category = 'Usage' then 'Usage-Based'
            when lines.frequency = 'Recurring' then 'Recurring'
            else 'One-Time'
        end",
        'ChargePeriodEnd': "lines.usage_date + interval '1' day",
        'ChargePeriodStart': 'lines.usage_date',
        'CommitmentDiscountCategory': "case when lines.commitment_id is not null then case when lines.pricing_model = 'SavingsPlan' then 'Spend' else 'Usage' end end",
        'CommitmentDiscountId': 'lines.commitment_id',
        'CommitmentDiscountName': 'case when lines.commitment_id is not null then coalesce(lines.benefit_name, lines.reservation_name) end',
        'CommitmentDiscountStatus': "case when lines.commitment_id is null or lines.charge_category <> 'Usage' then null when lines.is_unused then 'Unused' else 'Used' end",
        'CommitmentDiscountType': "case when lines.commitment_id is not null then case when lines.pricing_model = 'SavingsPlan' then 'Savings Plan' else 'Reservation' end end",
        'ConsumedQuantity': 'case when lines.is_measured then lines.quantity * lines.block_size end',
        'ConsumedUnit': "case when lines.is_measured then case when lines.token_meter is not null then 'Tokens' else lines.unit_name end end",
        'ContractedCost': 'case when lines.contracted_price is not null and lines.quantity is not null then ' ~ decimal_product('lines.quantity', 'lines.contracted_price') ~ ' else lines.billed_cost end',
        'ContractedUnitPrice': 'case when lines.quantity is not null then lines.contracted_price end',
        'EffectiveCost': 'lines.effective_cost',
        'HostProviderName': "'Microsoft'",
        'InvoiceId': 'lines.delivered_invoice_id',
        'InvoiceIssuerName': "'Microsoft'",
        'ListCost': 'case when lines.list_price is not null and lines.quantity is not null then ' ~ decimal_product('lines.quantity', 'lines.list_price') ~ ' else lines.billed_cost end',
        'ListUnitPrice': 'case when lines.quantity is not null then lines.list_price end',
        'PricingCategory': "case
            when not lines.is_priced then null
            when lines.charge_category = 'Usage' and lines.is_commitment then 'Committed'
            when lines.pricing_model = 'Spot' then 'Dynamic'
            else 'Standard'
        end",
        'PricingQuantity': 'case when lines.is_priced then lines.quantity end',
        'PricingUnit': "case
            when not lines.is_priced or lines.quantity is null then null
            when lines.block_size = 1 then lines.unit_name
            else concat(cast(lines.block_size as string), ' ', case when lines.token_meter is not null then 'Tokens' else lines.unit_name end)
        end",
        'RegionId': 'lower(lines.resource_location)',
        'RegionName': 'case when lines.resource_location is not null then coalesce(lines.meter_region, lines.resource_location) end',
        'ResourceId': "case when lines.commitment_id is not null and (lines.charge_category = 'Purchase' or lines.is_unused) then lines.commitment_id else lines.resource_id end",
        'ResourceName': 'lines.resource_name',
        'ServiceCategory': "coalesce(services.service_category, 'Other')",
        'ServiceName': "coalesce(services.service_name, lines.meter_category, lines.consumed_service, 'Azure')",
        'ServiceProviderName': "case when lines.publisher_type = 'Marketplace' then coalesce(lines.publisher_name, 'Microsoft') else 'Microsoft' end",
        'ServiceSubcategory': "coalesce(services.service_subcategory, 'Other (Other)')",
        'SkuId': 'case when lines.is_priced then lines.meter_id end',
        'SkuMeter': 'case when lines.is_priced then lines.meter_name end',
        'SkuPriceDetails': 'case when lines.is_priced and lines.part_number is not null and lines.token_meter is not null then ' ~ json_object_text({
            'x_ModelDeveloper': 'models.model_developer', 'x_ModelFamily': 'models.model_family', 'x_ModelId': 'models.model_id',
            'x_TokenDirection': token_direction('lines.token_meter'), 'x_TokenCacheAction': token_cache_action('lines.token_meter')
        }) ~ ' end',
        'SkuPriceId': 'case when lines.is_priced then lines.part_number end',
        'SubAccountId': "case when left(lines.subscription_id, 1) = '/' then lower(lines.subscription_id) else concat('/subscriptions/', lower(lines.subscription_id)) end",
        'SubAccountName': 'lines.subscription_name',
        'Tags': 'case when ' ~ is_json_object('lines.tags_json') ~ ' then lines.tags_json end',
        'x_charge_id': 'lines.charge_id',
        'x_SourceId': 'lines.source',
        'x_Dataset': 'lines.dataset',
        'x_Account': 'lines.account',
        'x_FocusVersionIn': "'native'",
        'x_Delivery': 'lines.delivery_id',
        'x_SpendSource': "coalesce(
            case when " ~ is_azure_model('lines.category_text') ~ " then 'managed_ai_platform' end,
            " ~ azure_spend_source("lower(concat_ws(' ', lines.product_name, lines.meter_category, lines.meter_subcategory, lines.meter_name))") ~ ",
            services.spend_source,
            'cloud'
        )",
        'x_ModelId': 'models.model_id',
        'x_ModelFamily': 'models.model_family',
        'x_ModelDeveloper': 'models.model_developer',
        'x_TokenMeter': 'lines.token_meter',
        'x_TokenDirection': token_direction('lines.token_meter'),
        'x_TokenCacheAction': token_cache_action('lines.token_meter'),
        'x_ServiceTier': 'case when lines.token_meter is not null then ' ~ azure_service_tier('lines.words') ~ ' end',
        'x_ContextWindow': "case when lines.token_meter is not null and regexp_extract(lines.words, ' (longco|lngco) ', 0) <> '' then 'long' end",
        'x_NativeColumns': json_merge_text('lines.x_extra', json_merge_text(json_object_text({
            'x_CostView': 'lines.cost_view', 'x_ChargeType': 'lines.charge_type', 'x_PricingModel': 'lines.pricing_model',
            'x_UnitOfMeasure': 'lines.unit_of_measure', 'x_DeploymentScope': 'case when lines.model_text is not null then ' ~ azure_deployment_scope('lines.words') ~ ' end', 'x_Quantity': 'cast(lines.quantity as string)', 'x_EffectivePrice': 'cast(lines.effective_price as string)',
            'x_ServiceFamily': 'lines.service_family', 'x_MeterCategory': 'lines.meter_category', 'x_MeterSubcategory': 'lines.meter_subcategory',
            'x_ConsumedService': 'lines.consumed_service', 'x_ResourceGroup': 'lines.resource_group', 'x_CostCenter': 'lines.cost_center',
            'x_BillingProfileId': 'lines.billing_profile_id', 'x_BillingProfileName': 'lines.billing_profile_name',
            'x_InvoiceSectionId': 'lines.invoice_section_id', 'x_InvoiceSectionName': 'lines.invoice_section_name',
            'x_ProductOrderId': 'lines.product_order_id', 'x_ProductOrderName': 'lines.product_order_name', 'x_OfferId': 'lines.offer_id',
            'x_Term': 'lines.term', 'x_PublisherName': 'lines.publisher_name', 'x_PublisherType': 'lines.publisher_type',
            'x_PlanName': 'lines.plan_name', 'x_ReservationId': 'lines.reservation_id', 'x_AdditionalInfo': 'lines.additional_info',
            'x_DeliveredTags': 'case when lines.tags_json is not null and not ' ~ is_json_object('lines.tags_json') ~ ' then lines.tags_text end'
        }), 'lines.delivered_numbers')),
        'x_BilledCostRemainder': 'case when lines.billed_cost = lines.cost then lines.cost_remainder else 0 end'
    }) }}
from costed as lines
left join models on lines.model_text = models.model_text
left join {{ ref('cloud_service_map') }} as services
    on services.provider = 'Microsoft' and services.service_key = lower(lines.meter_category)
{% endmacro %}
