{{ config(materialized='view') }}
select
    {{ work_row(deployment_columns(), {
        'account': 'account',
        'deployment_id': 'id',
        'repo': 'repo',
        'sha': 'sha',
        'ref': 'ref',
        'environment': 'environment',
        'is_production': 'coalesce(is_production, false)',
        'latest_state': 'latest_state',
        'creator_id': 'creator_id',
        'creator_id_system': "'github_id'",
        'created_at': 'created_at',
        'first_success_at': 'first_success_at',
    }, 'deployment') }}
from {{ ref('stg_github__deployments') }}
