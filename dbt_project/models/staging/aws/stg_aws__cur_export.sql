{{ config(materialized='table') }}
-- A table: it is read several times in a run, and holds the days in scope only.
{{ stage_aws_cur(source('raw', 'aws__cur_export')) }}
