-- Point in time: a day is told by events up to its end, so it stays as it is when the issue moves on later.
-- Weight 1 for an issue assigned and in progress at any moment of the day, 1 for each pull request opened or merged, 1 for
-- the commits of the day that name it, however many: a commit may be as small as one likes, so their number says little.
with issues as (
{{ handed_over('work_item_models', work_item_columns()) }}
),

statuses_known as (
{{ handed_over('work_item_status_models', work_item_status_columns()) }}
),

changes as (
    select distinct source, account, native_id, field, from_id, to_id, changed_at, change_key
    from (
{{ handed_over('work_item_change_models', work_item_change_columns()) }}
    ) as every_change
),

ordered as (
    select
        *,
        row_number() over (partition by source, account, native_id, field order by changed_at, change_key) as change_ordinal,
        lead(changed_at) over (partition by source, account, native_id, field order by changed_at, change_key) as next_changed_at
    from changes
),

fields as (
    select 'status' as field union all select 'assignee' as field
),

spells as (
    select
        issues.source,
        issues.account,
        issues.native_id,
        fields.field,
        case
            when ordered.native_id is not null then ordered.from_id
            when fields.field = 'status' then issues.status_id
            else issues.assignee_id
        end as value,
        issues.created_at as started_at,
        ordered.changed_at as ended_at
    from issues
    cross join fields
    left join ordered
        on ordered.source = issues.source
        and ordered.account = issues.account
        and ordered.native_id = issues.native_id
        and ordered.field = fields.field
        and ordered.change_ordinal = 1
    union all
    select source, account, native_id, field, to_id as value, changed_at as started_at, next_changed_at as ended_at
    from ordered
),

assigned as (
    select
        spells.source,
        spells.account,
        spells.native_id,
        spells.value as assignee_id,
        greatest(spells.started_at, statuses.started_at) as started_at,
        case
            when spells.ended_at is null then statuses.ended_at
            when statuses.ended_at is null then spells.ended_at
            else least(spells.ended_at, statuses.ended_at)
        end as ended_at
    from spells
    inner join spells as statuses
        on statuses.source = spells.source
        and statuses.account = spells.account
        and statuses.native_id = spells.native_id
        and statuses.field = 'status'
        and (statuses.ended_at is null or statuses.ended_at > spells.started_at)
        and (spells.ended_at is null or spells.ended_at > statuses.started_at)
    inner join statuses_known
        on statuses_known.source = statuses.source
        and statuses_known.account = statuses.account
        and statuses_known.status_id = statuses.value
        and statuses_known.status_category = 'indeterminate'
    where spells.field = 'assignee' and spells.value is not null
),

horizon as (
    select as_of_date from {{ source('raw', 'run_context') }}
),

days as (
    {{ date_spine("(select coalesce(min(started_at), timestamp '2000-01-01 00:00:00') from assigned)", "(select as_of_date from horizon)") }}
),

in_progress as (
    select distinct days.charge_date, identities.person_id, issues.work_item_key
    from assigned
    inner join issues
        on issues.source = assigned.source and issues.account = assigned.account and issues.native_id = assigned.native_id
    inner join days
        on days.charge_date >= cast(assigned.started_at as date)
        and (assigned.ended_at is null or cast(days.charge_date as timestamp) < assigned.ended_at)
    inner join {{ ref('dim_identity') }} as identities
        on identities.system = issues.assignee_system
        and identities.external_id = assigned.assignee_id
        and days.charge_date >= identities.valid_from
        and days.charge_date < identities.valid_to
),

pull_request_events as (
    select cast(pulls.created_at as date) as charge_date, pulls.author_person_id as person_id, keys.work_item_key
    from {{ ref('dim_pull_request') }} as pulls
    inner join {{ ref('int_pull_request_key') }} as keys on keys.pull_request_id = pulls.pull_request_id
    where pulls.author_person_id is not null and not pulls.is_bot
    union all
    select cast(pulls.merged_at as date) as charge_date, pulls.author_person_id as person_id, keys.work_item_key
    from {{ ref('dim_pull_request') }} as pulls
    inner join {{ ref('int_pull_request_key') }} as keys on keys.pull_request_id = pulls.pull_request_id
    where pulls.author_person_id is not null and not pulls.is_bot and pulls.merged_at is not null
),

weights as (
    select charge_date, person_id, work_item_key, cast(sum(weight) as bigint) as weight
    from (
        select charge_date, person_id, work_item_key, 1 as weight from in_progress
        union all
        select charge_date, person_id, work_item_key, 1 as weight
        from pull_request_events
        where charge_date < (select as_of_date from horizon)
        union all
        select charge_date, person_id, work_item_key, 1 as weight
        from {{ ref('int_commit_activity') }}
        where charge_date < (select as_of_date from horizon)
    ) as evidence
    group by charge_date, person_id, work_item_key
),

cumulated as (
    select
        *,
        cast(sum(weight) over (
            partition by charge_date, person_id order by work_item_key rows between unbounded preceding and current row
        ) as bigint) as weight_to,
        cast(sum(weight) over (partition by charge_date, person_id) as bigint) as total_weight
    from weights
)

select
    cast(person_id as string) as person_id,
    cast(work_item_key as string) as work_item_key,
    weight,
    cast({{ integer_quotient('1000000 * weight_to', 'total_weight') }}
        - {{ integer_quotient('1000000 * (weight_to - weight)', 'total_weight') }} as bigint) as share_ppm,
    cast({{ integer_quotient('1000000 * weight_to', 'total_weight') }} as bigint) as share_ppm_to,
    charge_date
from cumulated
