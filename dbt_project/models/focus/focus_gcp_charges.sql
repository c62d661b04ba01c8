{{ config(materialized='view') }}
select * from {{ ref('focus_file_gcp') }}
union all
select * from {{ ref('focus_file_gcp_focus') }}
