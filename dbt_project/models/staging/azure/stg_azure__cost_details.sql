{{ config(materialized='table') }}
-- A table, as stg_azure__focus_cost. Months that a FOCUS export delivers too are left out: FOCUS has both views in one row.
select lines.*
from (
{{ stage_azure_cost(source('raw', 'azure__cost_details')) }}
) as lines
left join (
    select distinct account, window_key from {{ ref('stg_azure__focus_cost') }}
) as told_by_focus
    on lines.account = told_by_focus.account and lines.window_key = told_by_focus.window_key
where told_by_focus.account is null
