{{ config(materialized='view', enabled=is_on('aws')) }}
-- A month is in one of the two only: landing leaves it empty in the export that is not booked.
select * from (
    {{ focus_rows_from_file(ref('stg_aws__focus_export')) }}
) as focus_export
union all
select * from (
    {{ aws_rows_from_lines(ref('stg_aws__cur_export')) }}
) as cur_export
