-- One odd answer is an exception (fct_token_mismatch). More than one request in a hundred means that a source's cached or
-- reasoning tokens are read on the wrong side of its totals.
with stated as (
    select
        source,
        account,
        count(*) as calls,
        sum(case when vendor_total_tokens <> tokens_total then 1 else 0 end) as mismatches
    from {{ ref('fct_model_call') }}
    where vendor_total_tokens is not null
    group by source, account
)

select * from stated where mismatches * 100 > calls and mismatches > 3
