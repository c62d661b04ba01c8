{{ config(materialized='table') }}
-- A table: it is read several times in a run, and holds the days in scope only.
{{ openrouter_activity('openrouter__activity_by_key', has_key=true) }}
