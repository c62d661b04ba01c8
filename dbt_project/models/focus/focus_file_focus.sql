{{ config(materialized='view') }}
{{ focus_rows_from_file(ref('stg_files__focus')) }}
