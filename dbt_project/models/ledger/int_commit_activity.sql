-- A commit names what its subject names: keys with a known project prefix, and keys or `#12` of the repository that are work
-- items or were one. Merges write nothing and bots are nobody. The day is the author's: rebased and cherry-picked copies keep
-- it, so they fall on one row, however many.
with commits as (
{{ handed_over('commit_models', commit_columns()) }}
),

texts as (
    select
        source, account, repo, sha, author_id, author_id_system, author_login, author_login_system, author_email,
        cast(authored_at as date) as charge_date,
        {{ json_array_elements('key_texts') }} as key_text
    from commits
    where not is_merge and not is_bot
),

named as (
    select
        texts.*,
        coalesce(by_key.work_item_key, texts.key_text) as work_item_key
    from texts
    left join {{ ref('dim_work_item_key') }} as by_key
        on by_key.key = case when texts.key_text like '#%' then concat(texts.repo, texts.key_text) else texts.key_text end
    left join {{ ref('int_project_key') }} as projects
        on projects.project_key = regexp_extract(texts.key_text, '^([A-Z][A-Z0-9_]{1,9})-[1-9][0-9]*$', 1)
    where by_key.work_item_key is not null or projects.project_key is not null
),

known as (
    select
        named.charge_date,
        coalesce(by_id.person_id, by_login.person_id, by_email.person_id) as person_id,
        named.work_item_key,
        named.sha
    from named
    left join {{ ref('dim_identity') }} as by_id
        on by_id.system = named.author_id_system
        and by_id.external_id = named.author_id
        and named.charge_date >= by_id.valid_from
        and named.charge_date < by_id.valid_to
    left join {{ ref('dim_identity') }} as by_login
        on by_login.system = named.author_login_system
        and by_login.external_id = named.author_login
        and named.charge_date >= by_login.valid_from
        and named.charge_date < by_login.valid_to
    left join {{ ref('dim_identity') }} as by_email
        on by_email.system = 'email'
        and by_email.external_id = named.author_email
        and named.charge_date >= by_email.valid_from
        and named.charge_date < by_email.valid_to
)

select
    cast(person_id as string) as person_id,
    cast(work_item_key as string) as work_item_key,
    cast(count(distinct sha) as bigint) as commits,
    charge_date
from known
where person_id is not null
group by person_id, work_item_key, charge_date
