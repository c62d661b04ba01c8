{{ config(materialized='view') }}
{#- Actual rows carry BilledCost, amortized rows carry EffectiveCost; on a day that has both views neither carries the
    other's cost, and the quantities and list prices stay on the actual rows. The two are never added. -#}
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
        regexp_extract(unit_of_measure, '^([0-9]+)', 1) as block_number,
        regexp_extract(unit_of_measure, '^[0-9]+([KM])', 1) as block_scale,
        trim(regexp_replace(unit_of_measure, '^[0-9]+[KM]?', '')) as unit_text
    from {{ ref('stg_files__azure_ea') }}
    where problem is null
),

typed as (
    select
        *,
        cost_view = 'actual' as is_actual,
        -- An accrual row beside the actual view: it repeats usage that the actual rows already count.
        cost_view = 'amortized' and has_actual as is_accrual_only,
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
        charge_type in ('UnusedReservation', 'UnusedSavingsPlan') as is_unused,
        pricing_model in ('Reservation', 'SavingsPlan') as is_commitment,
        coalesce(benefit_id, reservation_id) as commitment_id,
        coalesce(try_cast(block_number as bigint), 1) * case block_scale when 'K' then 1000 when 'M' then 1000000 else 1 end as block_size,
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
        charge_category = 'Usage' and not is_unused and not is_accrual_only and quantity is not null as is_measured,
        charge_category in ('Usage', 'Purchase') and not is_accrual_only as is_priced,
        case when is_actual then cost else 0 end as billed_cost,
        case
            when is_actual and has_amortized then 0
            when is_actual and charge_category = 'Purchase' and is_commitment then 0
            else cost
        end as effective_cost,
        -- 0 is what the export writes for "no list price" on covered rows.
        case when not is_accrual_only and charge_category in ('Usage', 'Purchase') and (payg_price <> 0 or not is_commitment) then payg_price end as list_price,
        case when not is_accrual_only and charge_category in ('Usage', 'Purchase') and (unit_price <> 0 or not is_commitment) then unit_price end as contracted_price
    from typed
)

select
    {{ focus_row({
        'AvailabilityZone': 'lines.availability_zone',
        'BilledCost': 'lines.billed_cost',
        'BillingAccountId': 'lines.billing_account_id',
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
        'ConsumedUnit': 'case when lines.is_measured then lines.unit_name end',
        'ContractedCost': 'case when lines.contracted_price is not null and lines.quantity is not null then ' ~ decimal_product('lines.quantity', 'lines.contracted_price') ~ ' else lines.billed_cost end',
        'ContractedUnitPrice': 'case when lines.quantity is not null then lines.contracted_price end',
        'EffectiveCost': 'lines.effective_cost',
        'HostProviderName': "'Microsoft'",
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
            else concat(cast(lines.block_size as string), ' ', lines.unit_name)
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
        'SkuPriceId': 'case when lines.is_priced then lines.part_number end',
        'SubAccountId': 'lines.subscription_id',
        'SubAccountName': 'lines.subscription_name',
        'Tags': 'case when ' ~ is_json_object('lines.tags_json') ~ ' then lines.tags_json end',
        'x_charge_id': 'lines.charge_id',
        'x_SourceId': 'lines.source',
        'x_Dataset': 'lines.dataset',
        'x_Account': 'lines.account',
        'x_FocusVersionIn': "'native'",
        'x_Delivery': 'lines.delivery_id',
        'x_SpendSource': "case
            when " ~ is_accelerator("lower(concat_ws(' ', lines.product_name, lines.meter_subcategory))") ~ " then 'ai_infrastructure'
            else coalesce(services.spend_source, 'cloud')
        end",
        'x_NativeColumns': json_merge_text('lines.x_extra', json_merge_text(json_object_text({
            'x_CostView': 'lines.cost_view', 'x_ChargeType': 'lines.charge_type', 'x_PricingModel': 'lines.pricing_model',
            'x_UnitOfMeasure': 'lines.unit_of_measure', 'x_Quantity': 'cast(lines.quantity as string)', 'x_EffectivePrice': 'cast(lines.effective_price as string)',
            'x_ServiceFamily': 'lines.service_family', 'x_MeterCategory': 'lines.meter_category', 'x_MeterSubcategory': 'lines.meter_subcategory',
            'x_ConsumedService': 'lines.consumed_service', 'x_ResourceGroup': 'lines.resource_group', 'x_CostCenter': 'lines.cost_center',
            'x_BillingProfileId': 'lines.billing_profile_id', 'x_BillingProfileName': 'lines.billing_profile_name',
            'x_InvoiceSectionId': 'lines.invoice_section_id', 'x_InvoiceSectionName': 'lines.invoice_section_name',
            'x_ProductOrderId': 'lines.product_order_id', 'x_ProductOrderName': 'lines.product_order_name', 'x_OfferId': 'lines.offer_id',
            'x_Term': 'lines.term', 'x_PublisherName': 'lines.publisher_name', 'x_PublisherType': 'lines.publisher_type',
            'x_PlanName': 'lines.plan_name', 'x_ReservationId': 'lines.reservation_id', 'x_AdditionalInfo': 'lines.additional_info',
            'x_DeliveredTags': 'case when lines.tags_json is not null and not ' ~ is_json_object('lines.tags_json') ~ ' then lines.tags_text end'
        }), 'lines.delivered_numbers')),
        'x_BilledCostRemainder': 'case when lines.is_actual then lines.cost_remainder else 0 end'
    }) }}
from costed as lines
left join {{ ref('cloud_service_map') }} as services
    on services.provider = 'Microsoft' and services.service_key = lower(lines.meter_category)
