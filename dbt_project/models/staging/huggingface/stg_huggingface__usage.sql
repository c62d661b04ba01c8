with amounts as (
    select
        *,
        -- Each product counts in one of the two units.
        coalesce({{ billed_amount('used_nano_usd', 9) }}, {{ billed_amount('used_micro_usd', 6) }}) as used,
        coalesce({{ billed_remainder('used_nano_usd', 9) }}, {{ billed_remainder('used_micro_usd', 6) }}) as used_remainder,
        coalesce({{ to_money('included_nano_usd', 9) }}, 0) as included,
        {{ to_money('used_before_nano_usd', 9) }} as used_before
    from {{ source('raw', 'huggingface__usage') }}
)

select
    raw_account as account,
    raw_window as window_key,
    raw_delivery_id as delivery_id,
    raw_ordinal as ordinal,
    {{ utc_timestamp('raw_fetched_at') }} as fetched_at,
    entity,
    product,
    used as used_usd,
    used_remainder as used_usd_remainder,
    included as included_usd,
    {{ to_money('limit_nano_usd', 9) }} as limit_usd,
    used_before as used_before_usd,
    -- The credit of the period is used up in the order of its days. Of an unknown period nothing is taken off.
    case
        when used_before is null then used
        else greatest(used_before + used - included, 0) - greatest(used_before - included, 0)
    end as cash_usd,
    num_requests,
    {{ exact_decimal('total_minutes', 28, 12) }} as total_minutes,
    {{ utc_timestamp('period_start') }} as period_start,
    {{ utc_timestamp('period_end') }} as period_end,
    other_measures,
    usage_date as charge_date
from amounts
