{{ config(materialized='view') }}
{%- set not_delivered = "('won''t do', 'won''t fix', 'duplicate', 'cannot reproduce', 'declined', 'cancelled', 'canceled', 'not planned')" -%}
with issues as (
    select
        issues.*,
        coalesce(issues.epic_key, case when lower(parents.issue_type) = 'epic' then issues.parent_key end) as own_epic_key
    from {{ ref('stg_jira__issues') }} as issues
    left join {{ ref('stg_jira__issues') }} as parents
        on parents.account = issues.account and parents.key = issues.parent_key
)

select
    {{ work_row(work_item_columns(), {
        'account': 'issues.account',
        'native_id': 'issues.id',
        'work_item_key': 'upper(issues.key)',
        'project': 'issues.project_key',
        'title': 'issues.summary',
        'work_item_type': 'issues.issue_type',
        'status': 'issues.status_name',
        'status_id': 'issues.status_id',
        'status_category': 'issues.status_category',
        'resolution': 'issues.resolution',
        'parent_key': 'issues.parent_key',
        'epic_key': 'issues.own_epic_key',
        'feature': "coalesce(epics.summary, case when lower(issues.issue_type) = 'epic' then issues.summary end)",
        'sprint_ids': 'issues.sprint_ids',
        'priority': 'issues.priority',
        'story_points': 'issues.story_points',
        'assignee_id': 'issues.assignee_account_id',
        'assignee_system': "'jira_account_id'",
        'created_at': 'issues.created_at',
        'updated_at': 'issues.updated_at',
        'resolved_at': 'issues.resolved_at',
        'is_delivered': "coalesce(issues.status_category = 'done' and coalesce(lower(issues.resolution), '') not in " ~ not_delivered ~ ", false)",
    }, 'work item') }}
from issues
left join {{ ref('stg_jira__issues') }} as epics on epics.account = issues.account and epics.key = issues.own_epic_key
