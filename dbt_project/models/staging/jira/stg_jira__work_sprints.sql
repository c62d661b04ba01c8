{{ config(materialized='view') }}
select
    {{ work_row(sprint_columns(), {
        'account': 'account', 'sprint_id': 'id', 'name': 'name', 'board': 'board_id', 'started_at': 'started_at',
        'ended_at': 'ended_at', 'completed_at': 'completed_at',
    }, 'sprint') }}
from {{ ref('stg_jira__sprints') }}
