with sprints as (
{{ handed_over('sprint_models', sprint_columns()) }}
)

select
    cast(concat(source, ':', account, ':', sprint_id) as string) as sprint_key,
    cast(source as string) as source,
    cast(account as string) as account,
    cast(sprint_id as string) as sprint_id,
    cast(name as string) as name,
    cast(board as string) as board,
    started_at,
    ended_at,
    completed_at
from sprints
