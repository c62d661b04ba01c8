{{ config(materialized='view') }}
select
    {{ work_row(work_item_change_columns(), {
        'account': 'account', 'native_id': 'issue_id', 'field': 'field', 'from_id': 'from_id', 'to_id': 'to_id',
        'changed_at': 'created_at', 'change_key': "concat(history_id, ':', lpad(cast(item_ordinal as string), 6, '0'))",
    }, 'work item change') }}
from {{ ref('stg_jira__changelog') }}
where field in ('status', 'assignee')
