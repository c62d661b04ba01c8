-- Expense lines at merchants that look like AI vendors: something to look at, not a charge and not a judgement. A line whose
-- vendor also bills the company is marked, because the company may be paying for the same twice.
with lines as (
    select
        *,
        {{ words_of('merchant') }} as merchant_words,
        {{ words_of('merchant_domain') }} as domain_words,
        {{ words_of('card_descriptor') }} as descriptor_words
    from {{ ref('stg_expenses__lines') }}
    where amount is not null
),

patterns as (
    select
        vendor, product, match_kind, pattern, confidence, invoice_issuer_name,
        {{ words_of('pattern') }} as pattern_words,
        case confidence when 'high' then 1 when 'medium' then 2 else 3 end as confidence_rank,
        coalesce(valid_from, cast('1900-01-01' as date)) as valid_from,
        coalesce(valid_to, cast('9999-12-31' as date)) as valid_to
    from {{ ref('ai_vendors') }}
),

matched as (
    select
        lines.account, lines.report_id, lines.expense_id, lines.expense_date, lines.employee_email, lines.amount, lines.currency,
        lines.category, lines.cost_center, patterns.vendor, patterns.product, patterns.match_kind, patterns.pattern,
        patterns.confidence, patterns.invoice_issuer_name
    from lines
    inner join patterns
        on lines.expense_date >= patterns.valid_from
        and lines.expense_date < patterns.valid_to
        and position(
            patterns.pattern_words in case patterns.match_kind
                when 'domain' then concat(coalesce(lines.domain_words, ''), coalesce(lines.descriptor_words, ''))
                when 'descriptor' then coalesce(lines.descriptor_words, '')
                else coalesce(lines.merchant_words, '')
            end
        ) > 0
    qualify row_number() over (
        partition by lines.account, lines.report_id, lines.expense_id
        order by patterns.confidence_rank, length(patterns.pattern_words) desc, patterns.vendor, patterns.match_kind
    ) = 1
),

invoiced as (
    select distinct invoice_issuer_name, cast(date_trunc('month', billing_period_start) as date) as month
    from {{ ref('stg_invoices__lines') }}
)

select
    cast({{ row_hash(['matched.account', 'matched.report_id', 'matched.expense_id']) }} as string) as finding_id,
    cast(matched.account as string) as account,
    cast(matched.report_id as string) as report_id,
    cast(matched.expense_id as string) as expense_id,
    matched.expense_date,
    cast(people.team as string) as team,
    cast(coalesce(teams.cost_center, matched.cost_center) as string) as cost_center,
    cast(matched.vendor as string) as vendor,
    cast(matched.product as string) as product,
    cast(matched.amount as decimal(38, 14)) as amount,
    cast(matched.currency as string) as currency,
    cast(matched.category as string) as expense_category,
    cast(matched.match_kind as string) as matched_on,
    cast(matched.pattern as string) as matched_pattern,
    cast(matched.confidence as string) as confidence,
    case when matched.invoice_issuer_name is not null then invoiced.invoice_issuer_name is not null end as is_also_invoiced,
    cast(concat(
        'Expense at a merchant whose ', matched.match_kind, ' matches ', matched.vendor, '; ',
        case
            when matched.invoice_issuer_name is null then 'whether the vendor invoices the company is not known'
            when invoiced.invoice_issuer_name is not null then 'the vendor also invoices the company in that month'
            else 'no invoice of the vendor in that month'
        end
    ) as string) as finding
from matched
left join invoiced
    on invoiced.invoice_issuer_name = matched.invoice_issuer_name
    and invoiced.month = cast(date_trunc('month', matched.expense_date) as date)
left join {{ ref('dim_identity') }} as identities
    on identities.system = 'email'
    and identities.external_id = matched.employee_email
    and matched.expense_date >= identities.valid_from
    and matched.expense_date < identities.valid_to
left join {{ ref('dim_person') }} as people
    on people.person_id = identities.person_id
    and matched.expense_date >= people.valid_from
    and matched.expense_date < people.valid_to
left join {{ ref('dim_team') }} as teams
    on teams.team = people.team
    and matched.expense_date >= teams.valid_from
    and matched.expense_date < teams.valid_to
