{#- A landed FOCUS file of version 1.0 to 1.4 (every column text) typed as the contract says, one row per landed row.
    Adds: `line_digest` (hash of the delivered line), `ordinal_among_equal` (1, 2, … for equal lines of one window),
    `native_columns` (JSON: custom columns, and delivered text of numbers that lost digits), `problem` (why the row cannot
    be loaded, else null). Nothing is synthesised: a column that the version lacks stays null. -#}
{% macro stage_focus_file(relation) %}
{%- set columns = focus_columns() -%}
{%- set allowed = focus_allowed_values() -%}
{%- set names = [] -%}
{%- set numbers = {} -%}
{%- set typed = [] -%}
{%- for name, sql_type in columns if not name.startswith('x_') and name != 'charge_date' -%}
    {%- do names.append(name) -%}
    {%- if sql_type.startswith('decimal') -%}
        {%- do numbers.update({name: [name] + (sql_type | replace('decimal(', '') | replace(')', '')).split(',') | map('int') | list}) -%}
        {%- do typed.append('try_cast(' ~ name ~ ' as ' ~ sql_type ~ ') as ' ~ name) -%}
    {%- elif sql_type == 'timestamp' -%}
        {%- do typed.append(utc_from_text(name) ~ ' as ' ~ name) -%}
    {%- elif name in allowed -%}
        {%- do typed.append(canonical_case(name, allowed[name]) ~ ' as ' ~ name) -%}
    {%- else -%}
        {%- do typed.append(name) -%}
    {%- endif -%}
{%- endfor -%}
with hashed as (
    select
        *,
        {{ row_hash(names + ['ProviderName', 'PublisherName', 'x_extra']) }} as line_digest
    from {{ relation }}
)

select
    raw_source as source,
    raw_dataset as dataset,
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    file_name,
    focus_version_in,
    line_digest,
    row_number() over (partition by raw_account, raw_window, line_digest order by raw_ordinal) as ordinal_among_equal,
    {%- for expression in typed %}
    {{ expression }},
    {%- endfor %}
    ProviderName,
    PublisherName,
    BilledCost as delivered_billed_cost,
    {{ cost_remainder('BilledCost') }} as billed_cost_remainder,
    {{ json_merge_text('x_extra', json_object_text(delivered_beyond_scale(numbers))) }} as native_columns,
    coalesce(
        {%- for name in ['BilledCost', 'BillingCurrency', 'BillingPeriodStart', 'BillingPeriodEnd', 'ChargePeriodStart', 'ChargePeriodEnd', 'ChargeCategory'] %}
        case when {{ name }} is null then '{{ name }}: missing' end,
        {%- endfor %}
        {%- for name in ['BillingPeriodStart', 'BillingPeriodEnd', 'ChargePeriodStart', 'ChargePeriodEnd'] %}
        case when {{ utc_from_text(name) }} is null then '{{ name }}: not an instant' end,
        {%- endfor %}
        {%- for name, (text, precision, scale) in numbers.items() %}
        '{{ name }}: ' || {{ unreadable_number(text, precision, scale) }}{{ ',' if not loop.last }}
        {%- endfor %}
    ) as problem
from hashed
{% endmacro %}

{#- Rows of a staged FOCUS file (see stage_focus_file) as rows of the contract. Upgrades 1.0 to 1.3 without inventing: the
    provider becomes the service provider, the publisher is the host only when it runs infrastructure. Drafts before 1.0 (0.5) have no contracted cost: what was
    billed stands for it, as for any charge without a unit price. Bedrock and Azure rows get
    model, token meter and quantities in Tokens. -#}
{% macro focus_rows_from_file(relation) %}
{%- set columns = focus_columns() -%}
{%- set values = {} -%}
{%- for name, sql_type in columns if not name.startswith('x_') and name != 'charge_date' -%}
    {%- do values.update({name: 'charges.' ~ name}) -%}
{%- endfor -%}
{%- do values.update({
    'ContractedCost': "case when charges.focus_version_in = '0.5' then coalesce(charges.ContractedCost, charges.BilledCost) else charges.ContractedCost end",
    'ListCost': "case when charges.focus_version_in = '0.5' then coalesce(charges.ListCost, charges.BilledCost) else charges.ListCost end",
    'RegionName': "case when charges.focus_version_in = '0.5' then coalesce(charges.RegionName, charges.RegionId) else charges.RegionName end",
    'x_OriginChargeId': json_text('charges.native_columns', 'oci_BackReferenceNumber'),
    'InvoiceId': "coalesce(charges.InvoiceId, " ~ json_text('charges.native_columns', 'x_InvoiceId') ~ ")",
    'ResourceId': "case when charges.is_azure and charges.CommitmentDiscountId is not null and (charges.ChargeCategory = 'Purchase' or charges.CommitmentDiscountStatus = 'Unused') then charges.CommitmentDiscountId else charges.ResourceId end",
    'ServiceName': "case when charges.is_azure then coalesce(charges.ServiceName, charges.azure_category, 'Azure') else charges.ServiceName end",
    'ServiceCategory': "case when charges.is_azure then coalesce(charges.ServiceCategory, 'Other') else charges.ServiceCategory end",
    'ServiceProviderName': 'coalesce(charges.ServiceProviderName, charges.ProviderName)',
    'HostProviderName': "coalesce(
            charges.HostProviderName,
            case
                when regexp_extract(lower(charges.PublisherName), '^(amazon web services|aws|microsoft|oracle|google)', 0) <> ''
                    then charges.PublisherName
                else coalesce(charges.ServiceProviderName, charges.ProviderName)
            end
        )",
    'ConsumedQuantity': "case when charges.per_unit is not null then " ~ quantity_in_tokens('charges.token_quantity', 'charges.per_unit') ~ " else charges.ConsumedQuantity end",
    'ConsumedUnit': "case when charges.per_unit is not null then 'Tokens' else charges.ConsumedUnit end",
    'PricingUnit': "case charges.pricing_per_unit when 1000000 then '1000000 Tokens' when 1000 then '1000 Tokens' when 1 then 'Tokens' else charges.PricingUnit end",
    'SkuPriceDetails': "case when charges.SkuPriceId is not null and (charges.token_meter is not null or accelerators.instance_type is not null) then " ~ json_merge_text('charges.SkuPriceDetails', json_object_text({
        'InstanceType': 'accelerators.instance_type', 'GpuCount': 'accelerators.accelerator_count',
        'x_Accelerator': 'accelerators.accelerator',
        'x_ModelDeveloper': 'models.model_developer', 'x_ModelFamily': 'models.model_family', 'x_ModelId': 'models.model_id',
        'x_TokenDirection': token_direction('charges.token_meter'), 'x_TokenCacheAction': token_cache_action('charges.token_meter')
    })) ~ " else charges.SkuPriceDetails end",
    'x_charge_id': row_hash(['charges.source', 'charges.dataset', 'charges.account', 'charges.window_key', 'charges.line_digest', 'charges.ordinal_among_equal']),
    'x_SourceId': 'charges.source',
    'x_Dataset': 'charges.dataset',
    'x_Account': 'charges.account',
    'x_FocusVersionIn': 'charges.focus_version_in',
    'x_Delivery': 'charges.delivery_id',
    'x_ProviderName': 'charges.ProviderName',
    'x_PublisherName': 'charges.PublisherName',
    'x_SpendSource': "case
            when charges.is_model or charges.is_azure_model then 'managed_ai_platform'
            when charges.is_azure and " ~ azure_spend_source('charges.azure_text') ~ " is not null then " ~ azure_spend_source('charges.azure_text') ~ "
            when charges.is_accelerator or " ~ is_gpu_cloud('charges.provider_text') ~ " or " ~ is_vector_database('charges.product_text') ~ " then 'ai_infrastructure'
            when " ~ is_platform_model('charges.product_text') ~ " then 'managed_ai_platform'
            else coalesce(services.spend_source, case when charges.ServiceCategory = 'AI and Machine Learning' then 'managed_ai_platform' end, 'cloud')
        end",
    'x_ModelId': 'models.model_id',
    'x_ModelFamily': 'models.model_family',
    'x_ModelDeveloper': 'models.model_developer',
    'x_TokenMeter': 'charges.token_meter',
    'x_TokenDirection': token_direction('charges.token_meter'),
    'x_TokenCacheAction': token_cache_action('charges.token_meter'),
    'x_ServiceTier': "case when charges.token_meter is not null and charges.is_azure_model then " ~ azure_service_tier('charges.azure_meter') ~ " when charges.token_meter is not null then " ~ bedrock_service_tier('charges.usage_text') ~ " end",
    'x_ContextWindow': "case when charges.is_azure_model and regexp_extract(charges.azure_meter, ' (longco|lngco) ', 0) <> '' then 'long' when charges.usage_text like '%long_ctx%' or charges.usage_text like '%long-context%' then 'long' end",
    'x_PrincipalId': aws_seat_user('charges.service_code', 'charges.ResourceId'),
    'x_NativeColumns': json_merge_text('charges.native_columns', json_object_text({
        'x_AcceleratorHours': accelerator_hours("charges.ChargeCategory = 'Usage'", 'charges.ConsumedQuantity', 'charges.ConsumedUnit'),
        'x_DeploymentScope': 'case when charges.is_azure_model then ' ~ azure_deployment_scope('charges.azure_meter') ~ ' end',
        'x_DeliveredResourceId': "case when charges.is_azure and charges.CommitmentDiscountId is not null and (charges.ChargeCategory = 'Purchase' or charges.CommitmentDiscountStatus = 'Unused') and charges.ResourceId is distinct from charges.CommitmentDiscountId then charges.ResourceId end",
        'x_DeliveredConsumedQuantity': 'case when charges.per_unit is not null then cast(charges.ConsumedQuantity as string) end',
        'x_DeliveredConsumedUnit': 'case when charges.per_unit is not null then charges.ConsumedUnit end',
        'x_DeliveredPricingUnit': 'case when charges.pricing_per_unit is not null then charges.PricingUnit end'
    })),
    'x_BilledCostRemainder': 'charges.billed_cost_remainder'
}) -%}
with described as (
    select
        *,
        lower(concat_ws(' ', SkuMeter, {{ json_text('native_columns', 'x_UsageType') }})) as usage_text,
        lower(concat_ws(' ', ServiceName, {{ json_text('native_columns', 'x_ServiceCode') }})) as service_text,
        lower({{ json_text('native_columns', 'x_ServiceCode') }}) as service_code,
        lower(coalesce(ServiceProviderName, ProviderName)) as provider_text,
        lower(concat_ws(' ', coalesce(ServiceProviderName, ProviderName), ServiceName, SkuMeter, ResourceType)) as product_text,
        coalesce(ServiceProviderName, ProviderName) = 'Microsoft' as is_azure,
        {{ json_text('native_columns', 'x_SkuMeterCategory') }} as azure_category,
        lower(concat_ws(
            ' ', {{ json_text('native_columns', 'x_SkuMeterCategory') }}, {{ json_text('native_columns', 'x_SkuMeterSubcategory') }}
        )) as azure_categories,
        {{ azure_words("coalesce(" ~ json_text('native_columns', 'x_SkuMeterName') ~ ", SkuMeter)") }} as azure_meter,
        lower(concat_ws(
            ' ', {{ json_text('native_columns', 'x_SkuMeterCategory') }}, {{ json_text('native_columns', 'x_SkuMeterSubcategory') }},
            {{ json_text('native_columns', 'x_SkuMeterName') }}, {{ json_text('native_columns', 'x_SkuDescription') }},
            {{ json_text('native_columns', 'x_SkuDetails') }}, SkuMeter
        )) as azure_text,
        coalesce(
            try_cast({{ json_text('native_columns', 'x_PricingBlockSize') }} as decimal(28, 12)),
            case when {{ json_text('native_columns', 'x_PricingUnitDescription') }} is not null
                then {{ azure_block_size(json_text('native_columns', 'x_PricingUnitDescription')) }}
            end
        ) as azure_block_size
    from {{ relation }}
    where problem is null
),

classified as (
    select
        *,
        {{ is_bedrock_model('service_text') }} as is_model,
        {{ is_accelerator("concat_ws(' ', usage_text, lower(ResourceType), lower(SkuPriceDetails))") }} as is_accelerator,
        {{ accelerator_instance("concat_ws(' ', usage_text, lower(SkuPriceDetails))") }} as accelerator_instance,
        coalesce(is_azure, false) and {{ is_azure_model('azure_categories') }} as is_azure_model,
        case
            when ChargeCategory <> 'Usage' then null
            when {{ is_bedrock_model('service_text') }} then {{ bedrock_token_meter('usage_text') }}
            when is_azure and {{ is_azure_model('azure_categories') }} and azure_block_size >= 1000 then {{ azure_token_meter('azure_meter') }}
        end as token_meter,
        case
            when {{ is_bedrock_model('service_text') }} then {{ model_text("concat_ws(' ', usage_text, service_text)") }}
            when is_azure and {{ is_azure_model('azure_categories') }} then {{ azure_model_text('azure_categories', 'azure_meter') }}
        end as model_text
    from described
),

charges as (
    select
        *,
        -- Azure writes `Units` for tokens and says their scale apart; elsewhere the unit's text says it.
        case
            when token_meter is null or coalesce(ConsumedQuantity, PricingQuantity) is null then null
            when is_azure_model then cast(case when PricingQuantity is not null then azure_block_size else 1 end as bigint)
            else {{ tokens_per_line_unit('coalesce(ConsumedUnit, PricingUnit)', 'ChargeDescription') }}
        end as per_unit,
        case
            when is_azure_model then coalesce(PricingQuantity, ConsumedQuantity)
            when ConsumedUnit is not null then ConsumedQuantity
            else PricingQuantity
        end as token_quantity,
        case
            when token_meter is null then null
            when is_azure_model then cast(azure_block_size as bigint)
            else {{ tokens_per_unit('PricingUnit') }}
        end as pricing_per_unit
    from classified
),

models as (
    {{ match_models('classified') }}
),

services as (
    select
        lower(service_name) as service_name,
        max(spend_source) as spend_source
    from {{ ref('cloud_service_map') }}
    group by lower(service_name)
)

select
    {{ focus_row(values) }}
from charges
left join models on charges.model_text = models.model_text
left join services on lower(charges.ServiceName) = services.service_name
left join {{ ref('aws_accelerators') }} as accelerators on accelerators.instance_type = charges.accelerator_instance
{% endmacro %}

{#- Key columns of a staged billing line: source, dataset, account,
    window_key, delivery_id, ordinal and the hash charge_id. Needs `line_digest` in
    the relation it selects from, see billing_lines. -#}
{% macro billing_line_keys() %}
    raw_source as source,
    raw_dataset as dataset,
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ row_hash([
        'raw_source', 'raw_dataset', 'raw_account', 'raw_window', 'line_digest',
        'row_number() over (partition by raw_account, raw_window, line_digest order by raw_ordinal)'
    ]) }} as charge_id
{% endmacro %}

{#- A raw billing dataset with `line_digest`, the hash of the delivered line over `columns`. -#}
{% macro billing_lines(relation, columns) %}
    select
        *,
        {{ row_hash(columns) }} as line_digest
    from {{ relation }}
{% endmacro %}

{#- The first reason why a staged line cannot be loaded: `required` columns must be there, `instants` must be readable,
    `numbers` {column: [precision, scale]} must fit before the point. -#}
{% macro line_problem(required, instants, numbers) %}
coalesce(
    {%- for name in required %}
    case when {{ name }} is null then '{{ name }}: missing' end,
    {%- endfor %}
    {%- for name in instants %}
    case when {{ name }} is not null and {{ utc_from_text(name) }} is null then '{{ name }}: not an instant' end,
    {%- endfor %}
    {%- for name, (precision, scale) in numbers.items() %}
    '{{ name }}: ' || {{ unreadable_number(name, precision, scale) }}{{ ',' if not loop.last }}
    {%- endfor %}
)
{% endmacro %}
