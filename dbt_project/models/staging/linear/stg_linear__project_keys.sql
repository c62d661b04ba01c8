{{ config(materialized='view') }}
select
    {{ work_row(project_key_columns(), {'account': 'account', 'project_key': 'upper(key)'}, 'project key') }}
from {{ ref('stg_linear__teams') }}
