{{ config(materialized='view') }}
{#- One row per line, plus one Usage row `Unused` per recurring commitment fee whose commitment was not used up: the fee
    is cash (BilledCost), the unused part is accrual (EffectiveCost), and FOCUS keeps the two on different rows. -#}
{%- set commitment_id = 'coalesce(lines.savings_plan_arn, lines.reservation_arn)' -%}
with lines as (
    select
        *,
        {{ model_text("concat_ws(' ', usage_type, product_name, " ~ json_text('x_extra', 'product/model') ~ ")") }} as model_text,
        lower(usage_type) as usage_text,
        lower(concat_ws(' ', product_name, product_code, product_family)) as service_text,
        -- Covered usage and its negation cancel out; only then may both be billed 0 without changing the file's sum.
        sum(case when line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation') then unblended_cost else 0 end)
            over (partition by account, window_key, billing_period_start, savings_plan_arn) as covered_balance
    from {{ ref('stg_files__aws_cur') }}
    where problem is null
),

classified as (
    select
        *,
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
        case when token_meter is not null then {{ tokens_per_unit('pricing_unit') }} end as per_unit
    from parts
),

models as (
    {{ match_models('(select model_text from classified where token_meter is not null) as bedrock') }}
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
        'ConsumedQuantity': 'case when lines.is_measured then ' ~ quantity_in_tokens('lines.usage_amount', 'lines.per_unit') ~ ' end',
        'ConsumedUnit': "case when lines.is_measured and lines.usage_amount is not null then case when lines.per_unit is not null then 'Tokens' else lines.pricing_unit end end",
        'ContractedCost': 'case when lines.is_unused_part then 0 else lines.unblended_cost end',
        'ContractedUnitPrice': 'case when lines.is_priced and lines.usage_amount is not null then lines.unblended_rate end',
        'EffectiveCost': 'case when lines.is_unused_part then lines.unused_cost else lines.effective_cost end',
        'HostProviderName': "case when lines.line_item_type <> 'Tax' then 'AWS' end",
        'InvoiceId': 'lines.invoice_id',
        'InvoiceIssuerName': "coalesce(lines.invoicing_entity, lines.legal_entity, 'Amazon Web Services, Inc.')",
        'ListCost': "case
            when lines.is_unused_part then 0
            when lines.charge_category = 'Usage' then coalesce(lines.public_on_demand_cost, lines.unblended_cost)
            else lines.unblended_cost
        end",
        'ListUnitPrice': 'case when lines.is_priced and lines.public_on_demand_cost is not null then lines.public_on_demand_rate end',
        'PricingCategory': "case
            when not lines.is_priced then null
            when lines.is_covered then 'Committed'
            when lines.pricing_term = 'Spot' then 'Dynamic'
            else 'Standard'
        end",
        'PricingQuantity': 'case when lines.is_priced then lines.usage_amount end',
        'PricingUnit': "case
            when lines.is_priced and lines.usage_amount is not null then
                case lines.per_unit when 1000000 then '1000000 Tokens' when 1000 then '1000 Tokens' when 1 then 'Tokens' else lines.pricing_unit end
        end",
        'RegionId': 'lines.region_code',
        'RegionName': "case when lines.region_code is not null then coalesce(" ~ json_text('lines.x_extra', 'product/location') ~ ', ' ~ json_text('lines.x_extra', 'product_location') ~ ", lines.region_code) end",
        'ResourceId': 'case when lines.is_covering then ' ~ commitment_id ~ ' else lines.resource_id end',
        'ServiceCategory': "coalesce(services.service_category, case when lines.token_meter is not null then 'AI and Machine Learning' end, 'Other')",
        'ServiceName': 'coalesce(services.service_name, lines.product_name, lines.product_code)',
        'ServiceProviderName': "case when lines.billing_entity = 'AWS Marketplace' then coalesce(lines.legal_entity, 'AWS Marketplace') else 'AWS' end",
        'ServiceSubcategory': "coalesce(services.service_subcategory, case when lines.token_meter is not null then 'Generative AI' end, 'Other (Other)')",
        'SkuId': 'case when lines.is_priced then lines.sku end',
        'SkuMeter': 'case when lines.is_priced then lines.usage_type end',
        'SkuPriceDetails': 'case when lines.is_priced and lines.rate_code is not null and lines.token_meter is not null then ' ~ json_object_text({
            'x_ModelDeveloper': 'models.model_developer', 'x_ModelFamily': 'models.model_family', 'x_ModelId': 'models.model_id',
            'x_TokenDirection': token_direction('lines.token_meter'), 'x_TokenCacheAction': token_cache_action('lines.token_meter')
        }) ~ ' end',
        'SkuPriceId': 'case when lines.is_priced then lines.rate_code end',
        'SubAccountId': 'lines.usage_account_id',
        'SubAccountName': json_text('lines.x_extra', 'line_item_usage_account_name'),
        'Tags': 'lines.tags',
        'x_charge_id': "case when lines.is_unused_part then " ~ row_hash(['lines.charge_id', "'unused'"]) ~ " else lines.charge_id end",
        'x_SourceId': 'lines.source',
        'x_Dataset': 'lines.dataset',
        'x_Account': 'lines.account',
        'x_FocusVersionIn': "'native'",
        'x_Delivery': 'lines.delivery_id',
        'x_SpendSource': "case
            when lines.token_meter is not null or " ~ is_bedrock_model('lines.service_text') ~ " then 'managed_ai_platform'
            when " ~ is_accelerator('lines.usage_text') ~ " then 'ai_infrastructure'
            else coalesce(services.spend_source, 'cloud')
        end",
        'x_ModelId': 'models.model_id',
        'x_ModelFamily': 'models.model_family',
        'x_ModelDeveloper': 'models.model_developer',
        'x_TokenMeter': 'lines.token_meter',
        'x_TokenDirection': token_direction('lines.token_meter'),
        'x_TokenCacheAction': token_cache_action('lines.token_meter'),
        'x_ServiceTier': 'case when lines.token_meter is not null then ' ~ bedrock_service_tier('lines.usage_text') ~ ' end',
        'x_PrincipalId': 'lines.iam_principal',
        'x_OriginChargeId': 'case when lines.is_unused_part then lines.charge_id end',
        'x_NativeColumns': json_merge_text('lines.x_extra', json_merge_text(json_object_text({
            'x_LineItemId': 'lines.line_item_id', 'x_TimeInterval': 'lines.time_interval', 'x_BillType': 'lines.bill_type',
            'x_BillingEntity': 'lines.billing_entity', 'x_LineItemType': 'lines.line_item_type', 'x_ProductCode': 'lines.product_code',
            'x_ProductFamily': 'lines.product_family', 'x_UsageType': 'lines.usage_type', 'x_Operation': 'lines.operation',
            'x_TaxType': 'lines.tax_type', 'x_LegalEntity': 'lines.legal_entity', 'x_RateId': 'lines.rate_id',
            'x_PricingTerm': 'lines.pricing_term', 'x_PricingUnit': 'lines.pricing_unit',
            'x_UnblendedCost': "case when lines.billed_cost <> lines.unblended_cost then cast(lines.unblended_cost as string) end",
            'x_NetUnblendedCost': 'cast(lines.net_unblended_cost as string)'
        }), 'lines.delivered_numbers')),
        'x_BilledCostRemainder': 'case when lines.is_unused_part or lines.billed_cost <> lines.unblended_cost then 0 else lines.billed_cost_remainder end'
    }) }}
from priced as lines
left join models on lines.model_text = models.model_text and lines.token_meter is not null
left join {{ ref('cloud_service_map') }} as services
    on services.provider = 'AWS' and services.service_key = lower(lines.product_code)
