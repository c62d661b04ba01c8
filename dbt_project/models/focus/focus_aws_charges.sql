{{ config(materialized='view') }}
{{ focus_rows_from_file(ref('stg_aws__focus_export')) }}
