{{ config(materialized='view', enabled=is_on('gcp')) }}
select * from {{ ref('focus_file_gcp') }}
union all
select * from {{ ref('focus_file_gcp_focus') }}
