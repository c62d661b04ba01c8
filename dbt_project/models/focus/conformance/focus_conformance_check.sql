{%- set rules = focus_row_rules() -%}
with row_results as (
    {%- for rule_id, applies, fails in rules %}
    select
        '{{ rule_id }}' as rule_id,
        stream as source,
        cast(sum({{ rule_id }}_checked) as bigint) as rows_checked,
        cast(sum({{ rule_id }}_failing) as bigint) as rows_failing,
        min({{ rule_id }}_example) as example
    from {{ ref('focus_conformance_day') }}
    group by stream
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

results as (
    select * from row_results
    union all
    select
        rule_id,
        source,
        rows_checked,
        rows_failing,
        example
    from {{ ref('focus_conformance_sets') }}
),

streams as (
    select distinct stream as source from {{ ref('focus_conformance_day') }}
),

-- Every rule is listed for every stream, so that "not applicable" is said and not silent.
listed as (
    select
        rules.rule_id,
        streams.source
    from {{ ref('focus_rules') }} as rules
    cross join streams
    where rules.rule_id not in ('S10', 'S11')
    union
    select
        rule_id,
        source
    from results
),

judged as (
    select
        listed.rule_id,
        rules.description,
        listed.source,
        run.as_of_date as checked_on,
        coalesce(results.rows_checked, 0) as rows_checked,
        coalesce(results.rows_failing, 0) as rows_failing,
        results.example,
        rules.level,
        max(waivers.reason) as waiver_reason
    from listed
    inner join {{ ref('focus_rules') }} as rules on listed.rule_id = rules.rule_id
    cross join {{ source('raw', 'run_context') }} as run
    left join results on listed.rule_id = results.rule_id and listed.source = results.source
    left join {{ ref('focus_waivers') }} as waivers
        on
            listed.rule_id = waivers.rule_id
            and (waivers.source = listed.source or waivers.source = split_part(listed.source, '/', 1))
            and coalesce(cast(waivers.profile as string), '') in ('', run.profile)
            and (waivers.valid_from is null or cast(waivers.valid_from as date) <= run.as_of_date)
            and (waivers.valid_to is null or run.as_of_date < cast(waivers.valid_to as date))
    group by
        listed.rule_id, rules.description, listed.source, run.as_of_date, results.rows_checked, results.rows_failing,
        results.example, rules.level
)

select
    rule_id,
    description,
    source,
    checked_on,
    rows_checked,
    rows_failing,
    example,
    level,
    case
        when rows_failing > 0 and waiver_reason is not null then 'waived'
        when rows_failing > 0 then 'fail'
        when rows_checked = 0 then 'not applicable'
        else 'pass'
    end as state,
    waiver_reason
from judged
