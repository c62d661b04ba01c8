{{ config(materialized='view', enabled=is_on('gcp')) }}
{#- Net cost (cost plus credits) is what is billed. A provisioned-throughput fee is two rows: the fee is cash (BilledCost), its
    use of the day is accrual (EffectiveCost). The export cannot say which usage another commitment's fee covers, so there
    both costs stay together, as Google's own FOCUS export has it. -#}
{%- set is_tokens = "lines.sku_kind = 'tokens' and lines.tokens_per_pricing_unit is not null" -%}
with lines as (
    select
        charges.*,
        skus.sku_kind, skus.is_accelerator, skus.model_id, skus.model_family, skus.model_developer, skus.token_meter, skus.service_tier,
        skus.context_window, skus.modality, skus.is_reasoning, skus.is_spot,
        {{ pacific_to_utc("concat(left(charges.invoice_month, 4), '-', substring(charges.invoice_month, 5, 2), '-01 00:00:00')") }} as period_start,
        {{ pacific_to_utc("cast(concat(left(charges.invoice_month, 4), '-', substring(charges.invoice_month, 5, 2), '-01 00:00:00') as timestamp) + interval '1' month") }} as period_end,
        coalesce(lower(charges.cost_type), 'regular') as kind_of_cost,
        coalesce(charges.adjustment_id, charges.adjustment_type, charges.adjustment_mode, charges.adjustment_description) is not null as is_adjustment,
        -- usage.unit says `requests` on rows of tokens: the pricing unit is what counts.
        case
            when lower(charges.usage_pricing_unit) in ('count', 'token', 'tokens') then 1
            when regexp_extract(lower(charges.usage_pricing_unit), '^(1k|1,?000|thousand) ?(count|tokens?)$', 0) <> '' then 1000
            when regexp_extract(lower(charges.usage_pricing_unit), '^(1m|1,?000,?000|million) ?(count|tokens?)$', 0) <> '' then 1000000
        end as tokens_per_pricing_unit,
        case charges.price_pricing_unit_quantity when 1000 then 0.001 when 1000000 then 0.000001 when 1000000000 then 0.000000001 else 1 end as per_price,
        coalesce(charges.price_pricing_unit_quantity, 1) in (1, 1000, 1000000, 1000000000) as is_price_readable
    from {{ ref('stg_gcp__billing_export') }} as charges
    left join {{ ref('int_gcp_sku') }} as skus
        on charges.service_description = skus.service_description and charges.sku_description = skus.sku_description
    where charges.problem is null
),

categorised as (
    select
        *,
        case
            when kind_of_cost = 'tax' then 'Tax'
            when kind_of_cost in ('adjustment', 'rounding_error') then 'Adjustment'
            when sku_kind in ('provisioned_throughput', 'commitment_fee') or credits like '%FEE_UTILIZATION_OFFSET%' then 'Purchase'
            when sku_kind = 'developer_tool' and regexp_extract(lower(sku_description), 'subscription|licen[cs]e|seat', 0) <> '' then 'Purchase'
            else 'Usage'
        end as charge_category,
        is_adjustment and usage_start_time < period_start as is_correction,
        coalesce(credits like '%COMMITTED_USAGE_DISCOUNT%', false)
        or (consumption_model_description is not null and lower(consumption_model_description) <> 'default') as is_committed_usage,
        cast(net_cost as decimal(38, 14)) as billed_cost,
        cast(usage_amount_in_pricing_units * cast(per_price as decimal(10, 9)) as decimal(28, 12)) as priced_quantity
    from lines
),

priced as (
    select
        *,
        charge_category in ('Usage', 'Purchase') and not is_correction and usage_amount_in_pricing_units is not null as is_priced,
        {{ decimal_product('priced_quantity', 'price_effective_price') }} as contracted_product,
        {{ decimal_product('priced_quantity', 'price_list_price') }} as list_product
    from categorised
),

-- A unit price is shown where it explains the cost; costs are rounded and tiers differ, so to a tenth of a percent.
explained as (
    select
        *,
        is_priced and is_price_readable and abs(cost - contracted_product) <= 0.01 + 0.001 * abs(cost) as has_contracted_price,
        is_priced and is_price_readable and abs(coalesce(cost_at_list, list_product) - list_product) <= 0.01 + 0.001 * abs(list_product) as has_list_price
    from priced
),

parts as (
    select *, sku_kind = 'provisioned_throughput' and charge_category = 'Purchase' as is_fee, false as is_accrual
    from explained
    union all
    select *, false as is_fee, true as is_accrual
    from explained
    where sku_kind = 'provisioned_throughput' and charge_category = 'Purchase'
)

select
    {{ focus_row({
        'AvailabilityZone': 'lines.zone',
        'BilledCost': 'case when lines.is_accrual then 0 else lines.billed_cost end',
        'BillingAccountId': 'lines.billing_account_id',
        'BillingAccountType': "'Billing Account'",
        'BillingCurrency': 'lines.currency',
        'BillingPeriodEnd': 'lines.period_end',
        'BillingPeriodStart': 'lines.period_start',
        'ChargeCategory': "case when lines.is_accrual then 'Usage' else lines.charge_category end",
        'ChargeClass': "case when lines.is_correction then 'Correction' end",
        'ChargeDescription': 'lines.sku_description',
        'ChargeFrequency': "case
            when lines.is_accrual or lines.charge_category = 'Usage' then 'Usage-Based'
            when lines.charge_category = 'Purchase' then 'Recurring'
            else 'One-Time'
        end",
        'ChargePeriodEnd': 'lines.usage_end_time',
        'ChargePeriodStart': 'lines.usage_start_time',
        'CommitmentDiscountCategory': "case when lines.is_fee or lines.is_accrual then 'Usage' end",
        'CommitmentDiscountId': "case when lines.is_fee or lines.is_accrual then coalesce(lines.subscription_instance_id, concat_ws('/', lines.sku_id, lines.project_id, lines.region)) end",
        'CommitmentDiscountName': 'case when lines.is_fee or lines.is_accrual then lines.sku_description end',
        'CommitmentDiscountQuantity': 'case when lines.is_fee or lines.is_accrual then lines.usage_amount_in_pricing_units end',
        'CommitmentDiscountStatus': "case when lines.is_accrual then 'Used' end",
        'CommitmentDiscountType': "case when lines.is_fee or lines.is_accrual then 'Provisioned Throughput' end",
        'CommitmentDiscountUnit': "case when (lines.is_fee or lines.is_accrual) and lines.usage_amount_in_pricing_units is not null then case when lines.usage_pricing_unit in ('mo', 'month') then 'GSU-Months' else concat('GSU-', coalesce(lines.usage_pricing_unit, 'Units')) end end",
        'ConsumedQuantity': "case
            when not lines.is_priced or (lines.charge_category <> 'Usage' and not lines.is_accrual) then null
            when " ~ is_tokens ~ " then cast(lines.usage_amount_in_pricing_units * lines.tokens_per_pricing_unit as decimal(28, 12))
            when lines.sku_kind in ('tokens', 'cache_storage', 'unclassified') or lines.is_accrual or lines.usage_amount is null or lines.usage_unit is null then lines.usage_amount_in_pricing_units
            else lines.usage_amount
        end",
        'ConsumedUnit': "case
            when not lines.is_priced or (lines.charge_category <> 'Usage' and not lines.is_accrual) then null
            when " ~ is_tokens ~ " then 'Tokens'
            when lines.sku_kind = 'cache_storage' then 'Token-Hours'
            when lines.sku_kind in ('tokens', 'unclassified') or lines.is_accrual or lines.usage_amount is null or lines.usage_unit is null then coalesce(lines.usage_pricing_unit, 'Units')
            else lines.usage_unit
        end",
        'ContractedCost': 'case when lines.is_accrual then 0 when lines.has_contracted_price then lines.contracted_product else lines.billed_cost end',
        'ContractedUnitPrice': 'case when lines.is_accrual then 0 when lines.has_contracted_price then lines.price_effective_price end',
        'EffectiveCost': 'case when lines.is_fee then 0 else lines.billed_cost end',
        'HostProviderName': "case when lines.charge_category <> 'Tax' then 'Google Cloud' end",
        'InvoiceIssuerName': "'Google Cloud'",
        'ListCost': "case
            when lines.is_accrual then 0
            when lines.has_list_price then lines.list_product
            when lines.charge_category in ('Usage', 'Purchase') then coalesce(lines.cost_at_list, lines.billed_cost)
            else lines.billed_cost
        end",
        'ListUnitPrice': 'case when lines.is_accrual then 0 when lines.has_list_price then lines.price_list_price end',
        'PricingCategory': "case
            when not lines.is_priced then null
            when lines.is_accrual or (lines.charge_category = 'Usage' and lines.is_committed_usage) then 'Committed'
            when lines.is_spot then 'Dynamic'
            else 'Standard'
        end",
        'PricingQuantity': 'case when lines.is_priced then lines.priced_quantity end',
        'PricingUnit': "case
            when not lines.is_priced then null
            when " ~ is_tokens ~ " then
                case cast(lines.tokens_per_pricing_unit * coalesce(lines.price_pricing_unit_quantity, 1) as decimal(28, 0))
                    when 1 then 'Tokens' when 1000 then '1000 Tokens' when 1000000 then '1000000 Tokens'
                    else concat(cast(cast(lines.price_pricing_unit_quantity as decimal(28, 0)) as string), ' ', lines.usage_pricing_unit)
                end
            when lines.sku_kind = 'cache_storage' then case lines.price_pricing_unit_quantity when 1000000 then '1000000 Token-Hours' when 1000 then '1000 Token-Hours' else 'Token-Hours' end
            when lines.per_price < 1 then concat(cast(cast(lines.price_pricing_unit_quantity as decimal(28, 0)) as string), ' ', coalesce(lines.usage_pricing_unit, 'Units'))
            else coalesce(lines.usage_pricing_unit, 'Units')
        end",
        'RegionId': 'lines.region',
        'RegionName': 'case when lines.region is not null then coalesce(lines.location, lines.region) end',
        'ResourceId': "case
            when lines.is_fee or lines.is_accrual then coalesce(lines.subscription_instance_id, concat_ws('/', lines.sku_id, lines.project_id, lines.region))
            else coalesce(lines.resource_global_name, lines.resource_name)
        end",
        'ResourceName': 'lines.resource_name',
        'ServiceCategory': "coalesce(services.service_category, case when lines.sku_kind in ('tokens', 'cache_storage', 'unclassified', 'provisioned_throughput') then 'AI and Machine Learning' end, 'Other')",
        'ServiceName': 'coalesce(services.service_name, lines.service_description)',
        'ServiceProviderName': "case when lines.publisher_type = 'PARTNER' then coalesce(lines.seller_name, 'Google Cloud Marketplace') else 'Google Cloud' end",
        'ServiceSubcategory': "coalesce(services.service_subcategory, case when lines.sku_kind in ('tokens', 'cache_storage', 'unclassified', 'provisioned_throughput') then 'Generative AI' end, 'Other (Other)')",
        'SkuId': "case when lines.charge_category in ('Usage', 'Purchase') then lines.sku_id end",
        'SkuMeter': "case when lines.charge_category in ('Usage', 'Purchase') then lines.sku_description end",
        'SkuPriceDetails': 'case when lines.is_priced and lines.token_meter is not null and ' ~ is_tokens ~ ' then ' ~ json_object_text({
            'x_ModelDeveloper': 'lines.model_developer', 'x_ModelFamily': 'lines.model_family', 'x_ModelId': 'lines.model_id',
            'x_TokenDirection': token_direction('lines.token_meter'), 'x_TokenCacheAction': token_cache_action('lines.token_meter'),
            'x_ServiceTier': 'lines.service_tier', 'x_Modality': 'lines.modality'
        }) ~ ' end',
        'SkuPriceId': "case when lines.is_priced then concat_ws('/', lines.sku_id, cast(lines.price_tier_start_amount as string), lines.consumption_model_id) end",
        'SubAccountId': 'lines.project_id',
        'SubAccountName': 'case when lines.project_id is not null then coalesce(lines.project_name, lines.project_id) end',
        'SubAccountType': "case when lines.project_id is not null then 'Project' end",
        'Tags': 'lines.tags',
        'x_charge_id': "case when lines.is_accrual then " ~ row_hash(['lines.charge_id', "'used'"]) ~ " else lines.charge_id end",
        'x_SourceId': 'lines.source',
        'x_Dataset': 'lines.dataset',
        'x_Account': 'lines.account',
        'x_FocusVersionIn': "'native'",
        'x_Delivery': 'lines.delivery_id',
        'x_SpendSource': "case
            when lines.is_accelerator or lines.sku_kind = 'vector_database' then 'ai_infrastructure'
            when lines.sku_kind = 'developer_tool' then 'developer_ai_tool'
            else coalesce(services.spend_source, 'cloud')
        end",
        'x_ModelId': "case when lines.sku_kind in ('tokens', 'cache_storage') then lines.model_id end",
        'x_ModelFamily': "case when lines.sku_kind in ('tokens', 'cache_storage') then lines.model_family end",
        'x_ModelDeveloper': "case when lines.sku_kind in ('tokens', 'cache_storage') then lines.model_developer end",
        'x_TokenMeter': "case when " ~ is_tokens ~ " and lines.charge_category = 'Usage' then lines.token_meter end",
        'x_TokenDirection': "case when " ~ is_tokens ~ " and lines.charge_category = 'Usage' then " ~ token_direction('lines.token_meter') ~ " end",
        'x_TokenCacheAction': "case when " ~ is_tokens ~ " and lines.charge_category = 'Usage' then " ~ token_cache_action('lines.token_meter') ~ " end",
        'x_ServiceTier': "case when lines.sku_kind = 'tokens' then lines.service_tier end",
        'x_ContextWindow': "case when lines.sku_kind = 'tokens' then lines.context_window end",
        'x_OriginChargeId': 'case when lines.is_accrual then lines.charge_id end',
        'x_NativeColumns': json_merge_text(json_object_text({
            'x_SkuKind': "case when lines.sku_kind <> 'other' then lines.sku_kind end", 'x_Cost': 'cast(lines.cost as string)',
            'x_Credits': 'lines.credits', 'x_CostAtList': 'cast(lines.cost_at_list as string)',
            'x_CurrencyConversionRate': 'cast(lines.currency_conversion_rate as string)', 'x_CostType': 'lines.cost_type',
            'x_InvoiceMonth': 'lines.invoice_month', 'x_ExportTime': 'cast(lines.export_time as string)',
            'x_ServiceId': 'lines.service_id', 'x_UsageAmount': 'cast(lines.usage_amount as string)', 'x_UsageUnit': 'lines.usage_unit',
            'x_PricingUnit': 'lines.usage_pricing_unit', 'x_ProjectNumber': 'lines.project_number',
            'x_ProjectAncestry': 'lines.project_ancestry', 'x_AdjustmentId': 'lines.adjustment_id',
            'x_AdjustmentType': 'lines.adjustment_type', 'x_AdjustmentMode': 'lines.adjustment_mode',
            'x_AdjustmentDescription': 'lines.adjustment_description', 'x_TransactionType': 'lines.transaction_type',
            'x_PublisherType': 'lines.publisher_type', 'x_SellerName': 'lines.seller_name',
            'x_ConsumptionModelId': 'lines.consumption_model_id',
            'x_ConsumptionModelDescription': 'lines.consumption_model_description',
            'x_SubscriptionInstanceId': 'lines.subscription_instance_id',
            'x_CostAtEffectivePriceDefault': 'cast(lines.cost_at_effective_price_default as string)'
        }), 'lines.delivered_numbers'),
        'x_BilledCostRemainder': 'case when lines.is_accrual then 0 else lines.net_cost - cast(lines.billed_cost as decimal(38, 24)) end'
    }) }}
from parts as lines
left join {{ ref('cloud_service_map') }} as services
    on services.provider = 'Google' and services.service_key = lower(lines.service_description)
