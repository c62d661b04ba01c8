{{ config(materialized='view') }}
select distinct
    {{ work_row(work_item_former_key_columns(), {
        'account': 'account', 'native_id': 'moved_to_id', 'former_key': "concat(repo, '#', cast(iid as string))",
    }, 'former key') }}
from {{ ref('stg_gitlab__issues') }}
where moved_to_id is not null
