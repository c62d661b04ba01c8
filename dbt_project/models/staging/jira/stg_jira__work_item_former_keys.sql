{{ config(materialized='view') }}
select distinct
    {{ work_row(work_item_former_key_columns(), {
        'account': 'account', 'native_id': 'issue_id', 'former_key': 'upper(from_text)',
    }, 'former key') }}
from {{ ref('stg_jira__changelog') }}
where field = 'Key' and from_text is not null
