{{ config(materialized='table') }}
-- A table: it is read several times in a run, and holds the days in scope only.
{{ stage_focus_file(source('raw', 'azure__focus_cost')) }}
