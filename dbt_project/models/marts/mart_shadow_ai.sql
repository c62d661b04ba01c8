select
    cast(date_trunc('month', expense_date) as date) as month,
    cast(vendor as string) as vendor,
    cast(product as string) as product,
    cast(team as string) as team,
    cast(currency as string) as currency,
    cast(confidence as string) as confidence,
    cast(count(*) as bigint) as findings,
    cast(sum(amount) as decimal(38, 14)) as amount,
    cast(sum(case when is_also_invoiced then amount else 0 end) as decimal(38, 14)) as amount_also_invoiced
from {{ ref('fct_shadow_ai_finding') }}
group by 1, 2, 3, 4, 5, 6
