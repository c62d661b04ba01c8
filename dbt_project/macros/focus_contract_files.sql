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
    provider becomes the service provider, the publisher is the host only when it runs infrastructure. Bedrock rows get
    model, token meter and quantities in Tokens. -#}
{% macro focus_rows_from_file(relation) %}
{%- set columns = focus_columns() -%}
{%- set values = {} -%}
{%- for name, sql_type in columns if not name.startswith('x_') and name != 'charge_date' -%}
    {%- do values.update({name: 'charges.' ~ name}) -%}
{%- endfor -%}
{%- do values.update({
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
    'SkuPriceDetails': "case when charges.token_meter is not null and charges.SkuPriceId is not null then " ~ json_merge_text('charges.SkuPriceDetails', json_object_text({
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
            when charges.is_model then 'managed_ai_platform'
            when charges.is_accelerator then 'ai_infrastructure'
            else coalesce(services.spend_source, case when charges.ServiceCategory = 'AI and Machine Learning' then 'managed_ai_platform' end, 'cloud')
        end",
    'x_ModelId': 'models.model_id',
    'x_ModelFamily': 'models.model_family',
    'x_ModelDeveloper': 'models.model_developer',
    'x_TokenMeter': 'charges.token_meter',
    'x_TokenDirection': token_direction('charges.token_meter'),
    'x_TokenCacheAction': token_cache_action('charges.token_meter'),
    'x_ServiceTier': "case when charges.token_meter is not null then " ~ bedrock_service_tier('charges.usage_text') ~ " end",
    'x_ContextWindow': "case when charges.usage_text like '%long_ctx%' or charges.usage_text like '%long-context%' then 'long' end",
    'x_NativeColumns': json_merge_text('charges.native_columns', json_object_text({
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
        lower(concat_ws(' ', ServiceName, {{ json_text('native_columns', 'x_ServiceCode') }})) as service_text
    from {{ relation }}
    where problem is null
),

classified as (
    select
        *,
        {{ is_bedrock_model('service_text') }} as is_model,
        {{ is_accelerator("concat_ws(' ', usage_text, lower(ResourceType), lower(SkuPriceDetails))") }} as is_accelerator,
        case when {{ is_bedrock_model('service_text') }} and ChargeCategory = 'Usage' then {{ bedrock_token_meter('usage_text') }} end as token_meter,
        case when {{ is_bedrock_model('service_text') }} then {{ model_text("concat_ws(' ', usage_text, service_text)") }} end as model_text
    from described
),

charges as (
    select
        *,
        case when token_meter is not null and coalesce(ConsumedQuantity, PricingQuantity) is not null
            then {{ tokens_per_unit('coalesce(ConsumedUnit, PricingUnit)') }}
        end as per_unit,
        case when ConsumedUnit is not null then ConsumedQuantity else PricingQuantity end as token_quantity,
        case when token_meter is not null then {{ tokens_per_unit('PricingUnit') }} end as pricing_per_unit
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
