{{ config(
    materialized='table' if target.type == 'spark' else 'incremental',
    incremental_strategy=incremental_strategy(),
    on_schema_change='fail',
    pre_hook=[
        "{{ delete_scope(ref('int_focus_scope'), {'x_SourceId': 'source', 'x_Account': 'account', 'charge_date': 'charge_date'}) }}",
        "{% if is_incremental() %}delete from {{ this }} where x_SourceId = 'invoices'{% endif %}",
    ],
) }}
{%- set columns = focus_columns() -%}
{%- set deltas = ['BilledCost', 'EffectiveCost', 'ListCost', 'ContractedCost', 'ConsumedQuantity', 'PricingQuantity',
                  'CommitmentDiscountQuantity', 'PricingCurrencyEffectiveCost', 'x_BilledCostRemainder'] -%}
{%- set not_kept = ['ListUnitPrice', 'ContractedUnitPrice', 'PricingCurrencyListUnitPrice', 'PricingCurrencyContractedUnitPrice',
                    'InvoiceId', 'InvoiceDetailId'] %}

with delivered as (
    select * from {{ ref('focus_vendor_charges') }}
    union all
    select * from {{ ref('focus_invoice_only_charges') }}
    union all
    select * from {{ ref('focus_files_charges') }}
    {%- for source_name in ['anthropic', 'openai', 'aws', 'gcp', 'azure'] if is_on(source_name) %}
    union all
    select * from {{ ref('focus_' ~ source_name ~ '_charges') }}
    {%- endfor %}
),

last_frozen as (
    select source, account, max(billing_period) as billing_period
    from {{ source('raw', 'frozen_periods') }}
    group by source, account
),

-- A closed period stays as it was booked. The frozen rows of a day in scope are put back verbatim.
frozen as (
    select
        charge.*,
        charge.x_OriginChargeId is not null and charge.x_charge_id = {{ row_hash(["'correction'", 'charge.x_OriginChargeId', 'charge.x_SourceId', 'charge.x_Account', "date_trunc('month', charge.BillingPeriodStart)"]) }} as is_own_correction,
        scope.source is not null as is_in_scope
    from {{ source('raw', 'frozen_charges') }} as charge
    left join {{ ref('int_focus_scope') }} as scope
        on charge.x_SourceId = scope.source and charge.x_Account = scope.account and charge.charge_date = scope.charge_date
    {% if is_incremental() -%}
    where scope.source is not null or charge.x_SourceId = 'invoices'
    {%- endif %}
),

delivered_by_period as (
    select delivered.*, frozen_periods.source is not null as is_closed
    from delivered
    left join {{ source('raw', 'frozen_periods') }} as frozen_periods
        on delivered.x_SourceId = frozen_periods.source
        and delivered.x_Account = frozen_periods.account
        and cast(date_trunc('month', delivered.BillingPeriodStart) as date) = frozen_periods.billing_period
),

-- What is booked for a charge: its frozen row and the frozen corrections of it.
booked as (
    select
        case when is_own_correction then x_OriginChargeId else x_charge_id end as origin_charge_id
        {%- for column in deltas %},
        sum({{ column }}) as {{ column }}
        {%- endfor %}
    from frozen
    where is_in_scope or x_SourceId = 'invoices'
    group by 1
),

now_delivered as (
    select * from delivered_by_period where is_closed
),

first_booked as (
    select * from frozen where (is_in_scope or x_SourceId = 'invoices') and not is_own_correction
),

difference as (
    select
        coalesce(booked.origin_charge_id, now_delivered.x_charge_id) as origin_charge_id
        {%- for column in deltas %},
        case
            when now_delivered.{{ column }} is not null or booked.{{ column }} is not null
                then coalesce(now_delivered.{{ column }}, 0) - coalesce(booked.{{ column }}, 0)
        end as {{ column }}
        {%- endfor %}
    from now_delivered
    full outer join booked on now_delivered.x_charge_id = booked.origin_charge_id
),

corrections as (
    select
        {%- for column, sql_type in columns %}
        {%- if column in deltas %}
        cast(difference.{{ column }} as {{ sql_type }}) as {{ column }}
        {%- elif column in not_kept %}
        cast(null as {{ sql_type }}) as {{ column }}
        {%- elif column == 'ChargeClass' %}
        cast('Correction' as {{ sql_type }}) as {{ column }}
        {%- elif column == 'BillingPeriodStart' %}
        cast(last_frozen.billing_period + interval '1' month as {{ sql_type }}) as {{ column }}
        {%- elif column == 'BillingPeriodEnd' %}
        cast(last_frozen.billing_period + interval '2' month as {{ sql_type }}) as {{ column }}
        {%- elif column == 'x_charge_id' %}
        {{ row_hash(["'correction'", 'difference.origin_charge_id', 'coalesce(now_delivered.x_SourceId, first_booked.x_SourceId)', 'coalesce(now_delivered.x_Account, first_booked.x_Account)', "cast(last_frozen.billing_period + interval '1' month as timestamp)"]) }} as {{ column }}
        {%- elif column == 'x_OriginChargeId' %}
        difference.origin_charge_id as {{ column }}
        {%- else %}
        case when now_delivered.x_charge_id is not null then now_delivered.{{ column }} else first_booked.{{ column }} end as {{ column }}
        {%- endif %}{{ ',' if not loop.last }}
        {%- endfor %}
    from difference
    left join now_delivered on difference.origin_charge_id = now_delivered.x_charge_id
    left join first_booked on difference.origin_charge_id = first_booked.x_charge_id
    left join last_frozen
        on coalesce(now_delivered.x_SourceId, first_booked.x_SourceId) = last_frozen.source
        and coalesce(now_delivered.x_Account, first_booked.x_Account) = last_frozen.account
    where {% for column in deltas %}coalesce(difference.{{ column }}, 0) <> 0{{ ' or ' if not loop.last }}{% endfor %}
),

open_charges as (
    select {% for column, sql_type in columns %}{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from delivered_by_period
    where not is_closed
    union all
    select {% for column, sql_type in columns %}{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from corrections
),

converted as (
    select
        charge.*,
        context.reporting_currency,
        case when charge.BillingCurrency = context.reporting_currency then cast(1 as decimal(28, 16)) else fx.rate end as fx_rate,
        coalesce(by_service.spend_source, by_source.spend_source) as mapped_spend_source
    from open_charges as charge
    cross join {{ source('raw', 'run_context') }} as context
    left join {{ ref('fx_rates') }} as fx
        on charge.BillingCurrency = fx.currency
        and context.reporting_currency = fx.reporting_currency
        and charge.charge_date >= coalesce(fx.valid_from, date '0001-01-01')
        and charge.charge_date < coalesce(fx.valid_to, date '9999-12-31')
        -- Rates invented for the sandbox convert nobody else's bill.
        and (fx.source <> 'sandbox' or context.profile = 'sandbox')
    left join {{ ref('spend_source_map') }} as by_service
        on charge.x_SourceId = by_service.source
        and charge.ServiceName = by_service.service_name
        and charge.charge_date >= coalesce(by_service.valid_from, date '0001-01-01')
        and charge.charge_date < coalesce(by_service.valid_to, date '9999-12-31')
    left join {{ ref('spend_source_map') }} as by_source
        on charge.x_SourceId = by_source.source
        and coalesce(by_source.service_name, '') = ''
        and charge.charge_date >= coalesce(by_source.valid_from, date '0001-01-01')
        and charge.charge_date < coalesce(by_source.valid_to, date '9999-12-31')
)

select
    {%- for column, sql_type in columns if column != 'charge_date' %}
    {%- if column == 'x_ReportingCost' %}
    case when BillingCurrency = reporting_currency then BilledCost else {{ decimal_product('BilledCost', 'fx_rate', 14) }} end as {{ column }},
    {%- elif column == 'x_ReportingCurrency' %}
    reporting_currency as {{ column }},
    {%- elif column == 'x_FxRate' %}
    fx_rate as {{ column }},
    {%- elif column == 'x_SpendSource' %}
    coalesce(x_SpendSource, mapped_spend_source) as {{ column }},
    {%- else %}
    {{ column }},
    {%- endif %}
    {%- endfor %}
    false as is_frozen,
    charge_date
from converted
union all
select
    {%- for column, sql_type in columns if column != 'charge_date' %}
    {{ column }},
    {%- endfor %}
    true as is_frozen,
    charge_date
from frozen
