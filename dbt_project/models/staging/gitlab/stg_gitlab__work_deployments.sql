{{ config(materialized='view') }}
select
    {{ work_row(deployment_columns(), {
        'account': 'account',
        'deployment_id': "concat('gitlab:', id)",
        'repo': 'repo',
        'sha': 'sha',
        'ref': 'ref',
        'environment': 'environment',
        'is_production': 'coalesce(is_production, false)',
        'latest_state': 'status',
        'creator_id': 'user_id',
        'creator_id_system': "'gitlab_user_id'",
        'created_at': 'created_at',
        'first_success_at': "case when status = 'success' then coalesce(finished_at, updated_at) end",
    }, 'deployment') }}
from {{ ref('stg_gitlab__deployments') }}
