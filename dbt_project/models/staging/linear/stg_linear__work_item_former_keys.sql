{{ config(materialized='view') }}
with former as (
    select account, id, {{ json_array_elements('previous_identifiers') }} as former_key
    from {{ ref('stg_linear__issues') }}
)

select distinct
    {{ work_row(work_item_former_key_columns(), {
        'account': 'account', 'native_id': 'id', 'former_key': 'upper(former_key)',
    }, 'former key') }}
from former
