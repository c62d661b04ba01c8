select distinct cast(upper(key) as string) as project_key
from {{ ref('stg_jira__projects') }}
