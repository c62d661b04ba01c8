{{ config(materialized='view') }}
select
    {{ work_row(sprint_columns(), {
        'account': 'account', 'sprint_id': 'id', 'name': "coalesce(name, 'Cycle ' || number)", 'board': 'team_key',
        'started_at': 'started_at', 'ended_at': 'ended_at', 'completed_at': 'completed_at',
    }, 'sprint') }}
from {{ ref('stg_linear__cycles') }}
