{{ config(materialized='view') }}
-- Reads every list, not the newest: the first type a state was seen with wins, so that past days stay as they were.
with first_seen as (
    select raw_account as account, id, min_by(type, raw_window) as state_type
    from {{ source('raw', 'linear__workflow_states') }}
    group by raw_account, id
)

select
    {{ work_row(work_item_status_columns(), {
        'account': 'account', 'status_id': 'id', 'status_category': linear_status_category('state_type'),
    }, 'work item status') }}
from first_seen
