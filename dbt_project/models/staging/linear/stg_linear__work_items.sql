{{ config(materialized='view') }}
-- A project stands for the epic: its issues share its name as their feature. Estimates of sub-issues are their own.
select
    {{ work_row(work_item_columns(), {
        'account': 'account',
        'native_id': 'id',
        'work_item_key': 'upper(identifier)',
        'project': 'team_key',
        'title': 'title',
        'status': 'state_name',
        'status_id': 'state_id',
        'status_category': linear_status_category('state_type'),
        'resolution': "case when " ~ linear_status_category('state_type') ~ " = 'canceled' then state_type end",
        'parent_key': 'upper(parent_identifier)',
        'feature': 'project_name',
        'sprint_ids': "'[\"' || cycle_id || '\"]'",
        'priority': 'priority_label',
        'story_points': 'estimate',
        'assignee_id': 'assignee_id',
        'assignee_system': "'linear_user_id'",
        'created_at': 'created_at',
        'updated_at': 'updated_at',
        'resolved_at': 'coalesce(completed_at, canceled_at)',
        'is_delivered': "coalesce(state_type = 'completed', false)",
    }, 'work item') }}
from {{ ref('stg_linear__issues') }}
