{{ config(materialized='view') }}
{{ aws_rows_from_lines(ref('stg_files__aws_cur')) }}
