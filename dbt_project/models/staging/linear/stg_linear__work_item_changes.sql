{{ config(materialized='view') }}
select
    {{ work_row(work_item_change_columns(), {
        'account': 'account', 'native_id': 'issue_id', 'field': "case field when 'state' then 'status' else field end",
        'from_id': 'from_id', 'to_id': 'to_id', 'changed_at': 'created_at', 'change_key': 'history_id',
    }, 'work item change') }}
from {{ ref('stg_linear__issue_history') }}
where field in ('state', 'assignee')
