-- A moved issue changes its key; the old key stays on branches and requests, so every key it ever had leads to it.
with current_keys as (
    select account, id, upper(key) as work_item_key from {{ ref('stg_jira__issues') }}
),

former_keys as (
    select distinct account, issue_id, upper(from_text) as former_key
    from {{ ref('stg_jira__changelog') }}
    where field = 'Key' and from_text is not null
),

all_keys as (
    select work_item_key as key, work_item_key, true as is_current from current_keys
    union all
    select former_keys.former_key as key, current_keys.work_item_key, false as is_current
    from former_keys
    inner join current_keys on current_keys.account = former_keys.account and current_keys.id = former_keys.issue_id
)

select
    cast(key as string) as key,
    cast(work_item_key as string) as work_item_key,
    is_current
from all_keys
qualify row_number() over (partition by key order by is_current desc, work_item_key) = 1
