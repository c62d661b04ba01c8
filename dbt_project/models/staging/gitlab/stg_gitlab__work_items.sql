{{ config(materialized='view') }}
-- Issues often mirror those of another tracker, so only one that a merge request names counts as work of its own. A moved
-- issue goes on under the key it has in its new project.
select
    {{ work_row(work_item_columns(), {
        'account': 'account',
        'native_id': 'id',
        'work_item_key': "concat(repo, '#', cast(iid as string))",
        'project': 'repo',
        'title': 'title',
        'work_item_type': "coalesce(issue_type, 'issue')",
        'status': 'state',
        'status_category': "case when state = 'closed' then 'done' else 'new' end",
        'sprint_ids': "'[\"' || iteration_id || '\"]'",
        'story_points': 'weight',
        'assignee_id': 'assignee_id',
        'assignee_system': "'gitlab_user_id'",
        'created_at': 'created_at',
        'updated_at': 'updated_at',
        'resolved_at': 'closed_at',
        'is_delivered': "coalesce(state = 'closed', false)",
        'needs_reference': 'true',
    }, 'work item') }}
from {{ ref('stg_gitlab__issues') }}
where moved_to_id is null
