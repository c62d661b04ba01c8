{{ config(materialized='view') }}
-- Issues often mirror those of another tracker, so only one that a pull request closes counts as work of its own.
select
    {{ work_row(work_item_columns(), {
        'account': 'account',
        'native_id': 'id',
        'work_item_key': "concat(repo, '#', cast(number as string))",
        'project': 'repo',
        'title': 'title',
        'status': 'state',
        'status_category': "case when state = 'closed' then 'done' else 'new' end",
        'resolution': 'state_reason',
        'assignee_id': 'assignee_id',
        'assignee_system': "'github_id'",
        'created_at': 'created_at',
        'updated_at': 'updated_at',
        'resolved_at': 'closed_at',
        'is_delivered': "coalesce(state = 'closed' and coalesce(state_reason, 'completed') = 'completed', false)",
        'needs_reference': 'true',
    }, 'work item') }}
from {{ ref('stg_github__issues') }}
