{#- AWS Cost and Usage Reports, dropped as files or exported to S3: how a line is typed and becomes a FOCUS row. -#}

{#- A landed report (every column text) typed, one row per landed line. A line's identity is its content without its own
    id, which changes with every refresh of the export. -#}
{% macro stage_aws_cur(relation) %}
{%- set texts = [
    'line_item_id', 'time_interval', 'invoice_id', 'invoicing_entity', 'billing_entity', 'bill_type', 'payer_account_id',
    'usage_account_id', 'usage_account_name', 'line_item_type', 'product_code', 'usage_type', 'operation', 'availability_zone', 'resource_id',
    'currency_code', 'line_item_description', 'tax_type', 'legal_entity', 'product_name', 'product_family', 'region_code',
    'sku', 'rate_code', 'rate_id', 'pricing_term', 'pricing_unit', 'reservation_arn', 'savings_plan_arn', 'iam_principal',
    'product', 'tags', 'x_extra', 'file_name'
] -%}
{%- set instants = ['billing_period_start', 'billing_period_end', 'usage_start', 'usage_end'] -%}
{%- set numbers = {
    'usage_amount': [28, 12], 'unblended_rate': [28, 16], 'unblended_cost': [38, 14], 'net_unblended_cost': [38, 14],
    'public_on_demand_cost': [38, 14], 'public_on_demand_rate': [28, 16], 'reservation_effective_cost': [38, 14],
    'reservation_unused_amortized_upfront_fee': [38, 14], 'reservation_unused_recurring_fee': [38, 14],
    'savings_plan_effective_cost': [38, 14], 'savings_plan_total_commitment_to_date': [38, 14],
    'savings_plan_used_commitment': [38, 14]
} -%}
{%- set scaled = {} -%}
{%- for name, (precision, scale) in numbers.items() %}{% do scaled.update({name: [name, precision, scale]}) %}{% endfor -%}
with lines as (
    {{ billing_lines(relation, texts[1:-1] + instants + numbers | list) }}
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
    {{ cost_remainder('unblended_cost') }} as billed_cost_remainder,
    {{ json_object_text(delivered_beyond_scale(scaled)) }} as delivered_numbers,
    {{ line_problem(
        ['unblended_cost', 'currency_code', 'billing_period_start', 'billing_period_end', 'usage_start', 'usage_end',
         'line_item_type', 'payer_account_id'],
        instants, numbers
    ) }} as problem
from lines
{% endmacro %}

{#- Lines of a typed report (see stage_aws_cur) as rows of the contract: one row per line, plus one Usage row `Unused` per
    recurring commitment fee whose commitment was not used up: the fee is cash (BilledCost), the unused part is accrual
    (EffectiveCost), and FOCUS keeps the two on different rows. Billed is the unblended cost: discounts are lines of
    their own, so the net columns would count them twice. -#}
{% macro aws_rows_from_lines(relation) %}
{%- set commitment_id = 'coalesce(lines.savings_plan_arn, lines.reservation_arn)' -%}
with lines as (
    select
        *,
        -- Since July 2026 the product map says what the usage type has to be parsed for; older months lack it.
        {{ model_text("concat_ws(' ', usage_type, product_name, " ~ json_text('x_extra', 'product/model') ~ ', ' ~ json_text('product', 'product_name') ~ ', ' ~ json_text('product', 'model') ~ ")") }} as model_text,
        lower(usage_type) as usage_text,
        lower(concat_ws(' ', usage_type, {{ json_text('product', 'feature') }})) as tier_text,
        lower(concat_ws(' ', product_name, {{ json_text('product', 'product_name') }}, product_code, product_family)) as service_text,
        coalesce(product_name, {{ json_text('product', 'product_name') }}) as known_product_name,
        lower(coalesce(product_code, '')) as service_key,
        -- Covered usage and its negation cancel out; only then may both be billed 0 without changing the file's sum.
        sum(case when line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation') then unblended_cost else 0 end)
            over (partition by account, window_key, billing_period_start, savings_plan_arn) as covered_balance
    from {{ relation }}
    where problem is null
        -- Split cost allocation shares out an instance whose own line has the whole cost.
        and coalesce(operation, '') not in ('ECSTask-EC2', 'EKSPod-EC2')
),

classified as (
    select
        *,
        {{ is_bedrock_model('service_text') }} as is_model,
        line_item_type in ('SavingsPlanCoveredUsage', 'DiscountedUsage') as is_covered,
        line_item_type in ('SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'RIFee')
        or (line_item_type = 'Fee' and reservation_arn is not null) as is_covering,
        case
            when line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage') then 'Usage'
            when line_item_type in ('Fee', 'RIFee', 'SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'FlatRateSubscription')
                then 'Purchase'
            when line_item_type = 'Tax' then 'Tax'
            when line_item_type = 'Credit' then 'Credit'
            else 'Adjustment'
        end as charge_category,
        case
            when line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation') and covered_balance = 0
                then cast(0 as decimal(38, 14))
            else unblended_cost
        end as billed_cost,
        case line_item_type
            when 'SavingsPlanCoveredUsage' then coalesce(savings_plan_effective_cost, 0)
            when 'DiscountedUsage' then coalesce(reservation_effective_cost, 0)
            when 'SavingsPlanRecurringFee' then 0
            when 'SavingsPlanNegation' then 0
            when 'SavingsPlanUpfrontFee' then 0
            when 'RIFee' then 0
            when 'Fee' then case when reservation_arn is not null then 0 else unblended_cost end
            else unblended_cost
        end as effective_cost,
        case line_item_type
            when 'SavingsPlanRecurringFee'
                then coalesce(savings_plan_total_commitment_to_date, 0) - coalesce(savings_plan_used_commitment, 0)
            when 'RIFee' then coalesce(reservation_unused_amortized_upfront_fee, 0) + coalesce(reservation_unused_recurring_fee, 0)
            else 0
        end as unused_cost,
        case
            when {{ is_bedrock_model('service_text') }} and line_item_type = 'Usage' then {{ bedrock_token_meter('usage_text') }}
        end as token_meter
    from lines
),

parts as (
    select
        *,
        false as is_unused_part
    from classified
    union all
    select
        *,
        true as is_unused_part
    from classified
    where unused_cost <> 0
),

priced as (
    select
        *,
        charge_category = 'Usage' and not is_unused_part as is_measured,
        charge_category in ('Usage', 'Purchase') and not is_unused_part as is_priced,
        case when token_meter is not null then {{ tokens_per_line_unit('pricing_unit', 'line_item_description') }} end as per_unit
    from parts
),

measured as (
    select
        *,
        -- A quantity without a unit says nothing.
        usage_amount is not null and coalesce(cast(per_unit as string), pricing_unit) is not null as has_quantity
    from priced
),

models as (
    {{ match_models('(select model_text from classified where is_model) as bedrock') }}
)

select
    {{ focus_row({
        'AvailabilityZone': 'lines.availability_zone',
        'BilledCost': 'case when lines.is_unused_part then 0 else lines.billed_cost end',
        'BillingAccountId': 'lines.payer_account_id',
        'BillingCurrency': 'lines.currency_code',
        'BillingPeriodEnd': 'lines.billing_period_end',
        'BillingPeriodStart': 'lines.billing_period_start',
        'ChargeCategory': "case when lines.is_unused_part then 'Usage' else lines.charge_category end",
        'ChargeClass': "case when lines.line_item_type = 'Refund' and lines.usage_start < lines.billing_period_start then 'Correction' end",
        'ChargeDescription': 'lines.line_item_description',
        'ChargeFrequency': "case
            when lines.is_unused_part or lines.charge_category = 'Usage' then 'Usage-Based'
            when lines.line_item_type in ('RIFee', 'SavingsPlanRecurringFee', 'FlatRateSubscription') then 'Recurring'
            else 'One-Time'
        end",
        'ChargePeriodEnd': 'lines.usage_end',
        'ChargePeriodStart': 'lines.usage_start',
        'CommitmentDiscountCategory': "case when lines.savings_plan_arn is not null then 'Spend' when lines.reservation_arn is not null then 'Usage' end",
        'CommitmentDiscountId': commitment_id,
        'CommitmentDiscountStatus': "case when lines.is_unused_part then 'Unused' when lines.is_covered then 'Used' end",
        'CommitmentDiscountType': "case when lines.savings_plan_arn is not null then 'Savings Plan' when lines.reservation_arn is not null then 'Reserved Instance' end",
        'ConsumedQuantity': 'case when lines.is_measured and lines.has_quantity then ' ~ quantity_in_tokens('lines.usage_amount', 'lines.per_unit') ~ ' end',
        'ConsumedUnit': "case when lines.is_measured and lines.has_quantity then case when lines.per_unit is not null then 'Tokens' else lines.pricing_unit end end",
        'ContractedCost': 'case when lines.is_unused_part then 0 else lines.unblended_cost end',
        'ContractedUnitPrice': 'case when lines.is_priced and lines.has_quantity then lines.unblended_rate end',
        'EffectiveCost': 'case when lines.is_unused_part then lines.unused_cost else lines.effective_cost end',
        'HostProviderName': "case when lines.line_item_type <> 'Tax' then 'AWS' end",
        'InvoiceId': 'lines.invoice_id',
        'InvoiceIssuerName': "coalesce(lines.invoicing_entity, lines.legal_entity, 'Amazon Web Services, Inc.')",
        'ListCost': "case
            when lines.is_unused_part then 0
            when lines.charge_category = 'Usage' then coalesce(lines.public_on_demand_cost, lines.unblended_cost)
            else lines.unblended_cost
        end",
        'ListUnitPrice': "case
            when not lines.is_priced or not lines.has_quantity then null
            when lines.charge_category = 'Purchase' then lines.unblended_rate
            when lines.public_on_demand_cost is not null then lines.public_on_demand_rate
        end",
        'PricingCategory': "case
            when not lines.is_priced then null
            when lines.is_covered then 'Committed'
            when lines.pricing_term = 'Spot' then 'Dynamic'
            else 'Standard'
        end",
        'PricingQuantity': 'case when lines.is_priced and lines.has_quantity then lines.usage_amount end',
        'PricingUnit': "case
            when lines.is_priced and lines.has_quantity then
                case lines.per_unit when 1000000 then '1000000 Tokens' when 1000 then '1000 Tokens' when 1 then 'Tokens' else lines.pricing_unit end
        end",
        'RegionId': 'lines.region_code',
        'RegionName': "case when lines.region_code is not null then coalesce(" ~ json_text('lines.x_extra', 'product/location') ~ ', ' ~ json_text('lines.x_extra', 'product_location') ~ ", lines.region_code) end",
        'ResourceId': 'case when lines.is_covering then ' ~ commitment_id ~ ' else lines.resource_id end',
        'ServiceCategory': "coalesce(services.service_category, case when lines.is_model then 'AI and Machine Learning' end, 'Other')",
        'ServiceName': "coalesce(services.service_name, lines.known_product_name, lines.product_code, 'Amazon Web Services')",
        'ServiceProviderName': "case when lines.billing_entity = 'AWS Marketplace' then coalesce(lines.legal_entity, 'AWS Marketplace') else 'AWS' end",
        'ServiceSubcategory': "coalesce(services.service_subcategory, case when lines.is_model then 'Generative AI' end, 'Other (Other)')",
        'SkuId': 'case when lines.is_priced then lines.sku end',
        'SkuMeter': 'case when lines.is_priced then lines.usage_type end',
        'SkuPriceDetails': 'case when lines.is_priced and lines.rate_code is not null then ' ~ json_object_text({
            'InstanceType': 'accelerators.instance_type', 'GpuCount': 'accelerators.accelerator_count',
            'x_Accelerator': 'accelerators.accelerator', 'x_ModelDeveloper': 'models.model_developer',
            'x_ModelFamily': 'models.model_family', 'x_ModelId': 'models.model_id',
            'x_TokenDirection': token_direction('lines.token_meter'), 'x_TokenCacheAction': token_cache_action('lines.token_meter')
        }) ~ ' end',
        'SkuPriceId': 'case when lines.is_priced then lines.rate_code end',
        'SubAccountId': 'lines.usage_account_id',
        'SubAccountName': 'lines.usage_account_name',
        'Tags': aws_tags('lines.tags'),
        'x_charge_id': "case when lines.is_unused_part then " ~ row_hash(['lines.charge_id', "'unused'"]) ~ " else lines.charge_id end",
        'x_SourceId': 'lines.source',
        'x_Dataset': 'lines.dataset',
        'x_Account': 'lines.account',
        'x_FocusVersionIn': "'native'",
        'x_Delivery': 'lines.delivery_id',
        'x_SpendSource': "case
            when lines.is_model then 'managed_ai_platform'
            when " ~ is_accelerator('lines.usage_text') ~ " or " ~ is_vector_database('lines.service_text') ~ " then 'ai_infrastructure'
            -- The product code of Amazon Q covers the assistant for everyone's work as well as the developers' one.
            when lines.service_key = 'amazonq' and concat(lines.usage_text, lower(coalesce(lines.operation, ''))) like '%business%' then 'ai_in_saas'
            else coalesce(services.spend_source, 'cloud')
        end",
        'x_ModelId': 'models.model_id',
        'x_ModelFamily': 'models.model_family',
        'x_ModelDeveloper': 'models.model_developer',
        'x_TokenMeter': 'lines.token_meter',
        'x_TokenDirection': token_direction('lines.token_meter'),
        'x_TokenCacheAction': token_cache_action('lines.token_meter'),
        'x_ServiceTier': 'case when lines.token_meter is not null then ' ~ bedrock_service_tier('lines.tier_text') ~ ' end',
        'x_ContextWindow': "case when lines.usage_text like '%long_ctx%' or lines.usage_text like '%long-context%' then 'long' end",
        'x_CredentialId': aws_credential('lines.iam_principal'),
        'x_PrincipalId': 'coalesce(' ~ aws_principal('lines.iam_principal') ~ ', ' ~ aws_seat_user('lines.service_key', 'lines.resource_id') ~ ')',
        'x_OriginChargeId': 'case when lines.is_unused_part then lines.charge_id end',
        'x_NativeColumns': json_merge_text('lines.x_extra', json_merge_text(json_object_text({
            'x_LineItemId': 'lines.line_item_id', 'x_TimeInterval': 'lines.time_interval', 'x_BillType': 'lines.bill_type',
            'x_BillingEntity': 'lines.billing_entity', 'x_LineItemType': 'lines.line_item_type', 'x_ProductCode': 'lines.product_code',
            'x_ProductFamily': 'lines.product_family', 'x_UsageType': 'lines.usage_type', 'x_Operation': 'lines.operation',
            'x_TaxType': 'lines.tax_type', 'x_LegalEntity': 'lines.legal_entity', 'x_RateId': 'lines.rate_id',
            'x_PricingTerm': 'lines.pricing_term', 'x_PricingUnit': 'lines.pricing_unit',
            'x_UnblendedCost': "case when lines.billed_cost <> lines.unblended_cost then cast(lines.unblended_cost as string) end",
            'x_AcceleratorHours': accelerator_hours('lines.is_measured', 'lines.usage_amount', 'lines.pricing_unit'), 'x_Product': 'lines.product', 'x_IamPrincipal': 'lines.iam_principal',
            'x_NetUnblendedCost': 'cast(lines.net_unblended_cost as string)'
        }), 'lines.delivered_numbers')),
        'x_BilledCostRemainder': 'case when lines.is_unused_part or lines.billed_cost <> lines.unblended_cost then 0 else lines.billed_cost_remainder end'
    }) }}
from measured as lines
left join models on lines.model_text = models.model_text and lines.is_model
left join {{ ref('cloud_service_map') }} as services
    on services.provider = 'AWS' and services.service_key = lines.service_key
left join {{ ref('aws_accelerators') }} as accelerators on accelerators.instance_type = {{ accelerator_instance('lines.usage_text') }}
{% endmacro %}

{#- Tags as FOCUS names them: resource tags without the report's prefix, other tags (`iamPrincipal/`, `accountTag/`,
    `userAttribute/`) with it, since one key may stand in all of them. The words by which owners are found are there in
    lower case too, however the company spells them. -#}
{% macro aws_tags(tags) -%}
{%- set pairs = {} -%}
{%- for key, spelled in {'team': 'Team', 'cost_center': 'CostCenter', 'environment': 'Environment', 'workflow': 'Workflow'}.items() -%}
{%- set found = [] -%}
{%- for name in ['resourceTags/user:' ~ key, 'resourceTags/user:' ~ spelled, 'user:' ~ key, 'user:' ~ spelled, 'user_' ~ key] -%}
{%- do found.append(json_text(tags, name)) -%}
{%- endfor -%}
{%- do pairs.update({'user:' ~ key: 'coalesce(' ~ found | join(', ') ~ ')'}) -%}
{%- endfor -%}
{{ json_merge_text('replace(' ~ tags ~ ", '\"resourceTags/', '\"')", json_object_text(pairs)) }}
{%- endmacro %}

{#- What a call was signed with: the ARN of the user, or of the role without the session's name. -#}
{% macro aws_credential(principal) -%}
regexp_extract({{ principal }}, '^arn:[^:]*:(iam::[0-9]*:(user|role)/.*|sts::[0-9]*:assumed-role/[^/]*)', 0)
{%- endmacro %}

{#- Who called: the session's name where it is an e-mail address, else the whole ARN. -#}
{% macro aws_principal(principal) -%}
case
    when {{ principal }} like '%:assumed-role/%' and split_part({{ principal }}, '/', 3) like '%@%' then lower(split_part({{ principal }}, '/', 3))
    else {{ principal }}
end
{%- endmacro %}

{#- The user of a seat or credit of Amazon Q Developer and Kiro: the last part of the resource id. -#}
{% macro aws_seat_user(service_key, resource_id) -%}
case when {{ service_key }} in ('amazonq', 'kiro') then nullif(regexp_extract({{ resource_id }}, '[^/]+$', 0), '') end
{%- endmacro %}
