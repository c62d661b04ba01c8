select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    report_id,
    expense_id,
    expense_date,
    lower(employee_email) as employee_email,
    merchant,
    merchant_domain,
    card_descriptor,
    category,
    {{ to_money('amount') }} as amount,
    upper(currency) as currency,
    cost_center,
    file_name
from {{ source('raw', 'expenses__lines') }}
qualify row_number() over (
    partition by raw_account, report_id, expense_id order by raw_fetched_at desc, raw_delivery_id desc, raw_ordinal desc
) = 1
