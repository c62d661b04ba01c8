-- A moved issue changes its key; the old key stays on branches and requests, so every key it ever had leads to it.
with former_keys as (
{{ handed_over('work_item_former_key_models', work_item_former_key_columns()) }}
),

all_keys as (
    select work_item_key as key, work_item_key, true as is_current from {{ ref('dim_work_item') }}
    union all
    select former_keys.former_key as key, items.work_item_key, false as is_current
    from former_keys
    inner join {{ ref('dim_work_item') }} as items
        on items.source = former_keys.source
        and items.account = former_keys.account
        and items.native_id = former_keys.native_id
)

select
    cast(key as string) as key,
    cast(work_item_key as string) as work_item_key,
    is_current
from all_keys
qualify row_number() over (partition by key order by is_current desc, work_item_key) = 1
