{{ config(materialized='view', enabled=is_on('azure')) }}
select * from ({{ focus_rows_from_file(ref('stg_azure__focus_cost')) }}) as focus_cost
union all
select * from ({{ azure_rows_from_lines(ref('stg_azure__cost_details')) }}) as cost_details
