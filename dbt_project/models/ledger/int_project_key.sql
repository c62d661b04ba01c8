with project_keys as (
{{ handed_over('project_key_models', project_key_columns()) }}
)

select distinct cast(upper(project_key) as string) as project_key
from project_keys
where project_key is not null
