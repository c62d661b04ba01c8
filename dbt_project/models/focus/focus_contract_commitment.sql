{#- Commitments that bills name: purchases with a commitment id. What a bill does not say stays null: it is not guessed. -#}
with purchases as (
    select
        InvoiceIssuerName,
        ServiceProviderName,
        CommitmentDiscountId,
        BillingCurrency,
        max(CommitmentDiscountName) as commitment_name,
        max(CommitmentDiscountCategory) as category,
        max(CommitmentDiscountType) as commitment_type,
        min(ChargePeriodStart) as period_start,
        max(ChargePeriodEnd) as period_end,
        sum(case when ChargeFrequency = 'One-Time' then BilledCost else 0 end) as upfront_cost,
        sum(case when ChargeFrequency = 'Recurring' then BilledCost else 0 end) as recurring_cost,
        max(CommitmentDiscountUnit) as commitment_unit,
        sum(CommitmentDiscountQuantity) as commitment_quantity,
        max(try_cast({{ json_text('x_NativeColumns', 'x_Term') }} as integer)) as term_months
    from {{ ref('focus_cost_and_usage') }}
    where ChargeCategory = 'Purchase' and CommitmentDiscountId is not null
    group by InvoiceIssuerName, ServiceProviderName, CommitmentDiscountId, BillingCurrency
),

terms as (
    select
        purchases.*,
        -- Recurring purchases show one payment at a time; the term of the order tells when the commitment ends.
        case
            when term_months is not null then period_start + term_months * interval '1' month
            else period_end
        end as commitment_end,
        (commitment_type like '%Savings Plan%' or commitment_type like '%Reserv%') as is_hourly
    from purchases
)

select
    {{ focus_row({
        'BillingCurrency': 'terms.BillingCurrency',
        'ContractCommitmentBenefitCategory': "'Discount'",
        'ContractCommitmentCategory': 'terms.category',
        'ContractCommitmentCost': "case when terms.category = 'Spend' and terms.recurring_cost = 0 then terms.upfront_cost end",
        'ContractCommitmentCreated': 'terms.period_start',
        'ContractCommitmentDescription': 'coalesce(terms.commitment_name, terms.commitment_type)',
        'ContractCommitmentDurationType': "case
            when terms.term_months is null then null
            when terms.term_months = 12 then '1 Year'
            when mod(terms.term_months, 12) = 0 then concat(cast(cast(floor(terms.term_months / 12) as integer) as string), ' Years')
            when terms.term_months = 1 then '1 Month'
            else concat(cast(terms.term_months as string), ' Months')
        end",
        'ContractCommitmentFulfillmentInterval': "case when terms.is_hourly then 'Hourly' end",
        'ContractCommitmentId': 'terms.CommitmentDiscountId',
        'ContractCommitmentLastUpdated': 'run.as_of',
        'ContractCommitmentLifecycleStatus': "case when run.as_of >= terms.commitment_end then 'Expired' when run.as_of < terms.period_start then 'Pending' else 'Active' end",
        'ContractCommitmentModel': "case when terms.is_hourly then 'Continuous' end",
        'ContractCommitmentOfferCategory': "case when terms.is_hourly then 'Public' end",
        'ContractCommitmentPaymentInterval': "case when terms.recurring_cost = 0 then 'One-Time' else 'Monthly' end",
        'ContractCommitmentPaymentModel': "case when terms.recurring_cost = 0 then 'All Upfront' when terms.upfront_cost = 0 then 'No Upfront' else 'Partial Upfront' end",
        'ContractCommitmentPaymentUpfrontPercentage': 'case when terms.recurring_cost = 0 then 1 when terms.upfront_cost = 0 then 0 end',
        'ContractCommitmentPeriodEnd': 'terms.commitment_end',
        'ContractCommitmentPeriodStart': 'terms.period_start',
        'ContractCommitmentQuantity': "case when terms.category = 'Usage' then terms.commitment_quantity end",
        'ContractCommitmentType': 'terms.commitment_type',
        'ContractCommitmentUnit': "case when terms.category = 'Usage' and terms.commitment_quantity is not null then terms.commitment_unit end",
        'ContractId': 'terms.CommitmentDiscountId',
        'ContractPeriodEnd': 'terms.commitment_end',
        'ContractPeriodStart': 'terms.period_start',
        'InvoiceIssuerName': 'terms.InvoiceIssuerName',
        'ServiceProviderName': 'terms.ServiceProviderName'
    }, 'ContractCommitment') }}
from terms
cross join {{ source('raw', 'run_context') }} as run
