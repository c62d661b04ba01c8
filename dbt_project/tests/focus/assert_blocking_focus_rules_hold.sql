{{ config(tags=['focus'], severity='error') }}
-- One row per blocking conformance rule and source that fails without a waiver.
select
    rule_id,
    source,
    rows_failing,
    example,
    description
from {{ ref('focus_conformance_check') }}
where level = 'blocking' and state = 'fail'
