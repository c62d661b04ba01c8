{{ config(materialized='view') }}
-- Iterations as the issues planned in them show them; the due day belongs to the iteration.
with iterations as (
    select account, iteration_id, iteration_title, iteration_start, iteration_due
    from {{ ref('stg_gitlab__issues') }}
    where iteration_id is not null
    qualify row_number() over (partition by account, iteration_id order by updated_at desc, id) = 1
)

select
    {{ work_row(sprint_columns(), {
        'account': 'account', 'sprint_id': 'iteration_id', 'name': "coalesce(iteration_title, 'Iteration ' || iteration_id)",
        'started_at': 'iteration_start', 'ended_at': "iteration_due + interval '1' day",
    }, 'sprint') }}
from iterations
