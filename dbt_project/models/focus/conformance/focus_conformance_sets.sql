with charges as (
    select
        charges.*,
        {{ charge_stream('charges') }} as stream
    from {{ ref('focus_cost_and_usage') }} as charges
),

purchases as (
    select
        stream,
        CommitmentDiscountId,
        BillingCurrency,
        min(ChargePeriodStart) as elapsed_start,
        max(ChargePeriodEnd) as elapsed_end,
        sum(BilledCost) as billed,
        sum(EffectiveCost) as effective,
        count(*) as row_count
    from charges
    cross join {{ source('raw', 'run_context') }} as run
    where ChargeCategory = 'Purchase' and CommitmentDiscountId is not null and ChargePeriodEnd <= run.as_of
    group by stream, CommitmentDiscountId, BillingCurrency
),

-- Only commitments with both sides in the data can be balanced.
commitments as (
    select
        purchases.stream,
        purchases.CommitmentDiscountId,
        max(purchases.BillingCurrency) as BillingCurrency,
        max(purchases.billed) as purchase_billed,
        max(purchases.effective) as purchase_effective,
        sum(charges.BilledCost) as usage_billed,
        sum(charges.EffectiveCost) as usage_effective,
        max(purchases.row_count) + count(*) as row_count
    from purchases
    inner join charges
        on
            purchases.stream = charges.stream
            and purchases.CommitmentDiscountId = charges.CommitmentDiscountId
            and purchases.BillingCurrency = charges.BillingCurrency
            and charges.ChargeCategory = 'Usage'
            and charges.ChargePeriodStart >= purchases.elapsed_start
            and charges.ChargePeriodStart < purchases.elapsed_end
    group by purchases.stream, purchases.CommitmentDiscountId
),

s1 as (
    select
        'S1' as rule_id,
        stream as source,
        row_count as rows_checked,
        abs(purchase_effective + usage_effective - purchase_billed - usage_billed)
            > {{ invoice_tolerance('BillingCurrency', 'row_count') }} as is_failing,
        CommitmentDiscountId as example
    from commitments
),

s2 as (
    select
        'S2' as rule_id,
        stream as source,
        row_count as rows_checked,
        abs(usage_effective - purchase_billed) > {{ invoice_tolerance('BillingCurrency', 'row_count') }} as is_failing,
        CommitmentDiscountId as example
    from commitments
),

invoice_lines as (
    select *
    from {{ ref('focus_invoice_detail') }}
    where InvoiceIssueStatus = 'Issued'
),

invoices as (
    select
        InvoiceIssuerName,
        InvoiceId,
        BillingCurrency,
        sum(case when ChargeCategory = 'Tax' then 0 else BilledCost end) as amount,
        min(BillingPeriodStart) as period_start,
        max(BillingPeriodEnd) as period_end
    from invoice_lines
    group by InvoiceIssuerName, InvoiceId, BillingCurrency
),

invoiced_charges as (
    select
        InvoiceIssuerName,
        InvoiceId,
        BillingCurrency,
        min(stream) as stream,
        sum(case when ChargeCategory = 'Tax' then 0 else BilledCost end) as amount,
        min(BillingPeriodStart) as period_start,
        max(BillingPeriodEnd) as period_end,
        count(*) as row_count
    from charges
    where InvoiceId is not null
    group by InvoiceIssuerName, InvoiceId, BillingCurrency
),

s3 as (
    select
        'S3' as rule_id,
        invoiced_charges.stream as source,
        invoiced_charges.row_count as rows_checked,
        abs(invoiced_charges.amount - invoices.amount)
            > {{ invoice_tolerance('invoices.BillingCurrency', 'invoiced_charges.row_count') }} as is_failing,
        invoices.InvoiceId as example
    from invoices
    inner join invoiced_charges
        on
            invoices.InvoiceIssuerName = invoiced_charges.InvoiceIssuerName
            and invoices.InvoiceId = invoiced_charges.InvoiceId
            and invoices.BillingCurrency = invoiced_charges.BillingCurrency
),

s4 as (
    select
        'S4' as rule_id,
        invoiced_charges.stream as source,
        invoiced_charges.row_count as rows_checked,
        -- Days, not instants: months of some vendors turn at midnight of their own zone.
        cast(invoiced_charges.period_start as date) < cast(invoices.period_start as date)
            or cast(invoiced_charges.period_end as date) > cast(invoices.period_end as date) as is_failing,
        invoices.InvoiceId as example
    from invoices
    inner join invoiced_charges
        on
            invoices.InvoiceIssuerName = invoiced_charges.InvoiceIssuerName
            and invoices.InvoiceId = invoiced_charges.InvoiceId
            and invoices.BillingCurrency = invoiced_charges.BillingCurrency
),

frozen as (
    select
        x_SourceId,
        x_Account,
        x_charge_id,
        cast(BillingPeriodStart as date) as billing_period,
        BilledCost,
        EffectiveCost,
        {{ charge_stream('frozen_charges') }} as stream
    from {{ source('raw', 'frozen_charges') }} as frozen_charges
),

current_of_frozen as (
    select
        charges.stream,
        charges.x_SourceId,
        charges.x_Account,
        charges.x_charge_id,
        cast(charges.BillingPeriodStart as date) as billing_period,
        charges.BilledCost,
        charges.EffectiveCost
    from charges
    inner join (select distinct x_SourceId, x_Account, billing_period from frozen) as periods
        on
            charges.x_SourceId = periods.x_SourceId
            and charges.x_Account = periods.x_Account
            and cast(charges.BillingPeriodStart as date) = periods.billing_period
),

s5 as (
    select
        'S5' as rule_id,
        coalesce(frozen.stream, current_of_frozen.stream) as source,
        1 as rows_checked,
        frozen.x_charge_id is null
        or current_of_frozen.x_charge_id is null
        or frozen.BilledCost is distinct from current_of_frozen.BilledCost
        or frozen.EffectiveCost is distinct from current_of_frozen.EffectiveCost as is_failing,
        coalesce(frozen.x_charge_id, current_of_frozen.x_charge_id) as example
    from frozen
    full outer join current_of_frozen
        on frozen.x_charge_id = current_of_frozen.x_charge_id and frozen.billing_period = current_of_frozen.billing_period
),

s6 as (
    select
        'S6' as rule_id,
        stream as source,
        count(*) as rows_checked,
        count(distinct ServiceCategory) > 1 as is_failing,
        ServiceName as example
    from charges
    group by stream, ServiceName
    union all
    select
        'S6' as rule_id,
        stream as source,
        count(*) as rows_checked,
        count(distinct SkuId) > 1 as is_failing,
        SkuPriceId as example
    from charges
    where SkuPriceId is not null
    group by stream, SkuPriceId
    union all
    select
        'S6' as rule_id,
        stream as source,
        count(*) as rows_checked,
        count(distinct CommitmentDiscountUnit) > 1 as is_failing,
        CommitmentDiscountId as example
    from charges
    where CommitmentDiscountId is not null
    group by stream, CommitmentDiscountId
    union all
    select
        'S6' as rule_id,
        'focus_contract_commitment' as source,
        count(*) as rows_checked,
        count(distinct ContractId) > 1 as is_failing,
        ContractCommitmentId as example
    from {{ ref('focus_contract_commitment') }}
    group by ContractCommitmentId
),

split_groups as (
    select
        stream,
        concat_ws(' ', SubAccountId, ResourceId, SkuPriceId, cast(ChargePeriodStart as string)) as origin,
        count(*) as row_count,
        sum(case when AllocatedMethodId is null then 1 else 0 end) as origin_rows,
        sum(case when AllocatedMethodId is not null then 1 else 0 end) as allocated_rows,
        sum(
            case when AllocatedMethodId is not null then
                try_cast(nullif(regexp_extract(AllocatedMethodDetails, '"AllocatedRatio" *: *([0-9.eE-]+)', 1), '') as decimal(28, 12))
            end
        ) as ratio_sum,
        sum(
            case
                when AllocatedMethodId is not null
                    and coalesce(regexp_extract(AllocatedMethodDetails, '"AllocatedRatio" *: *([0-9.eE-]+)', 1), '') = '' then 1
                else 0
            end
        ) as rows_without_ratio
    from charges
    group by stream, SubAccountId, ResourceId, SkuPriceId, ChargePeriodStart, ChargePeriodEnd
),

s7 as (
    select
        'S7' as rule_id,
        stream as source,
        row_count as rows_checked,
        origin_rows > 0 or (rows_without_ratio = 0 and abs(ratio_sum - 1) > 0.000001) as is_failing,
        origin as example
    from split_groups
    where allocated_rows > 0
),

s8 as (
    select
        'S8' as rule_id,
        stream as source,
        count(*) as rows_checked,
        count(distinct SkuMeter) > 1 as is_failing,
        SkuPriceId as example
    from charges
    where SkuPriceId is not null
    group by stream, SkuPriceId
    union all
    select
        'S8' as rule_id,
        stream as source,
        count(*) as rows_checked,
        count(distinct SubAccountName) > 1 as is_failing,
        SubAccountId as example
    from charges
    where SubAccountId is not null
    group by stream, SubAccountId, BillingPeriodStart
),

s9 as (
    select
        'S9' as rule_id,
        min(stream) as source,
        count(*) as rows_checked,
        -- A source may have one month in several exports, of which one is the bill.
        count(distinct case when BilledCost <> 0 then concat_ws('/', x_SourceId, x_Dataset, x_Account) end) > 1 as is_failing,
        concat_ws(' ', BillingAccountId, ServiceName, cast(cast(BillingPeriodStart as date) as string)) as example
    from charges
    group by InvoiceIssuerName, BillingAccountId, BillingPeriodStart, ServiceName, ChargeCategory
),

billed_kinds as (
    select distinct
        InvoiceIssuerName,
        cast(BillingPeriodStart as date) as billing_period,
        ChargeCategory
    from charges
),

s10 as (
    select
        'S10' as rule_id,
        'invoices' as source,
        1 as rows_checked,
        billed_kinds.InvoiceIssuerName is null as is_failing,
        concat_ws(' ', lines.InvoiceId, lines.InvoiceDetailId) as example
    from {{ ref('focus_invoice_detail') }} as lines
    left join billed_kinds
        on
            lines.InvoiceIssuerName = billed_kinds.InvoiceIssuerName
            and billed_kinds.billing_period = cast(lines.BillingPeriodStart as date)
            and lines.ChargeCategory = billed_kinds.ChargeCategory
    where lines.BilledCost <> 0 and lines.InvoiceIssueStatus <> 'Voided'
),

s11 as (
    select
        'S11' as rule_id,
        'invoices' as source,
        1 as rows_checked,
        lines.ReferenceInvoiceId is null
        or (lines.PaymentCurrencyInvoiceDetailId is not null and targets.InvoiceDetailId is null) as is_failing,
        concat_ws(' ', lines.InvoiceId, lines.InvoiceDetailId) as example
    from {{ ref('focus_invoice_detail') }} as lines
    left join (select distinct InvoiceIssuerName, InvoiceId, InvoiceDetailId from {{ ref('focus_invoice_detail') }}) as targets
        on
            lines.InvoiceIssuerName = targets.InvoiceIssuerName
            and lines.InvoiceId = targets.InvoiceId
            and lines.PaymentCurrencyInvoiceDetailId = targets.InvoiceDetailId
),

r9 as (
    select
        'R9' as rule_id,
        'focus_contract_commitment' as source,
        1 as rows_checked,
        (ContractCommitmentQuantity is null) <> (ContractCommitmentUnit is null) as is_failing,
        ContractCommitmentId as example
    from {{ ref('focus_contract_commitment') }}
),

results as (
    {%- for rule in ['s1', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9', 's10', 's11', 'r9'] %}
    select
        rule_id,
        source,
        rows_checked,
        is_failing,
        example
    from {{ rule }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

-- rows_failing counts groups (commitments, invoices, names), rows_checked the rows that were compared.
select
    rule_id,
    source,
    cast(sum(rows_checked) as bigint) as rows_checked,
    cast(sum(case when is_failing then 1 else 0 end) as bigint) as rows_failing,
    min(case when is_failing then example end) as example
from results
group by rule_id, source
