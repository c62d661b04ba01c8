{{ config(materialized='view') }}
{{ azure_rows_from_lines(ref('stg_files__azure_ea')) }}
