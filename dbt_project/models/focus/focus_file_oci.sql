{{ config(materialized='view') }}
{#- An empty cost is free usage: 0. A correction of an earlier month is billed in the newest month of its file. -#}
with lines as (
    select
        *,
        date_trunc('month', interval_usage_start) as usage_month,
        max(date_trunc('month', interval_usage_start)) over (partition by account, window_key) as file_month,
        coalesce(try_cast(split_part(billing_unit_readable, ' ', 1) as bigint), 1) as block_size,
        split_part(billing_unit_readable, ' ', 2) as size_unit,
        split_part(billing_unit_readable, ' ', 3) as time_unit,
        split_part(billing_unit_readable, ' ', 4) as counted
    from {{ ref('stg_files__oci_cost') }}
    where problem is null
),

named as (
    select
        *,
        coalesce(lower(is_correction) = 'true', false) as is_correction_line,
        coalesce(my_cost, 0) as billed_cost,
        case
            when billing_unit_readable is null then sku_unit_description
            when size_unit <> 'NONE' and counted = 'DATA_TRANSFERRED' then size_unit
            when size_unit <> 'NONE' and time_unit <> 'NONE'
                then concat(size_unit, '-', upper(left(time_unit, 1)), lower(substring(time_unit, 2)))
            when size_unit <> 'NONE' then size_unit
            when time_unit <> 'NONE'
                then concat(upper(left(counted, 1)), lower(regexp_replace(substring(counted, 2), 'S$', '')), '-', upper(left(time_unit, 1)), lower(substring(time_unit, 2)))
            else concat(upper(left(counted, 1)), lower(substring(counted, 2)))
        end as unit_name
    from lines
),

dated as (
    select
        *,
        is_correction_line and usage_month < file_month as is_closed_correction,
        case when is_correction_line then file_month else usage_month end as billing_month
    from named
)

select
    {{ focus_row({
        'AvailabilityZone': 'lines.availability_domain',
        'BilledCost': 'lines.billed_cost',
        'BillingAccountId': 'lines.tenant_id',
        'BillingCurrency': 'lines.currency_code',
        'BillingPeriodEnd': "lines.billing_month + interval '1' month",
        'BillingPeriodStart': 'lines.billing_month',
        'ChargeCategory': "'Usage'",
        'ChargeClass': "case when lines.is_closed_correction then 'Correction' end",
        'ChargeDescription': 'lines.description',
        'ChargeFrequency': "'Usage-Based'",
        'ChargePeriodEnd': 'lines.interval_usage_end',
        'ChargePeriodStart': 'lines.interval_usage_start',
        'ConsumedQuantity': 'lines.billed_quantity * lines.block_size',
        'ConsumedUnit': 'case when lines.billed_quantity is not null then lines.unit_name end',
        'ContractedCost': 'lines.billed_cost',
        'ContractedUnitPrice': 'lines.unit_price',
        'EffectiveCost': 'lines.billed_cost',
        'HostProviderName': "'Oracle'",
        'InvoiceIssuerName': "'Oracle'",
        'ListCost': 'lines.billed_cost',
        'PricingCategory': "'Standard'",
        'PricingQuantity': 'lines.billed_quantity',
        'PricingUnit': "case
            when lines.billed_quantity is null then null
            when lines.block_size = 1 then lines.unit_name
            else concat(cast(lines.block_size as string), ' ', lines.unit_name)
        end",
        'RegionId': 'lines.region',
        'RegionName': 'lines.region',
        'ResourceId': 'lines.resource_id',
        'ServiceCategory': "coalesce(services.service_category, 'Other')",
        'ServiceName': "coalesce(services.service_name, concat('OCI ', lines.service))",
        'ServiceProviderName': "'Oracle'",
        'ServiceSubcategory': "coalesce(services.service_subcategory, 'Other (Other)')",
        'SkuId': 'lines.product_sku',
        'SkuMeter': 'lines.description',
        'SkuPriceId': 'lines.product_sku',
        'SubAccountId': 'lines.compartment_id',
        'SubAccountName': 'lines.compartment_name',
        'Tags': 'lines.tags',
        'x_charge_id': 'lines.charge_id',
        'x_SourceId': 'lines.source',
        'x_Dataset': 'lines.dataset',
        'x_Account': 'lines.account',
        'x_FocusVersionIn': "'native'",
        'x_Delivery': 'lines.delivery_id',
        'x_SpendSource': "case
            when " ~ is_accelerator('lower(lines.description)') ~ " then 'ai_infrastructure'
            else coalesce(services.spend_source, 'cloud')
        end",
        'x_OriginChargeId': 'case when lines.is_correction_line then lines.backreference_no end',
        'x_NativeColumns': json_merge_text('lines.x_extra', json_merge_text(json_object_text({
            'x_ReferenceNo': 'lines.reference_no', 'x_BackreferenceNo': 'lines.backreference_no', 'x_IsCorrection': 'lines.is_correction',
            'x_Service': 'lines.service', 'x_SubscriptionId': 'lines.subscription_id', 'x_BillingUnit': 'lines.billing_unit_readable',
            'x_SkuUnitDescription': 'lines.sku_unit_description', 'x_OverageFlag': 'lines.overage_flag',
            'x_BilledQuantityOverage': 'cast(lines.billed_quantity_overage as string)',
            'x_UnitPriceOverage': 'cast(lines.unit_price_overage as string)', 'x_CostOverage': 'cast(lines.my_cost_overage as string)'
        }), 'lines.delivered_numbers')),
        'x_BilledCostRemainder': 'coalesce(lines.billed_cost_remainder, 0)'
    }) }}
from dated as lines
left join {{ ref('cloud_service_map') }} as services
    on services.provider = 'OCI' and services.service_key = lower(lines.service)
