-- Reads every version of an issue, not the newest: the changelog names status ids only, and a status that no issue is
-- in today still had a category. The first category seen wins: a later remapping must not rewrite past days.
select
    cast(raw_account as string) as account,
    cast(status_id as string) as status_id,
    cast(min_by(status_category, updated_at) as string) as status_category
from {{ source('raw', 'jira__issues') }}
where status_id is not null and status_category is not null
group by raw_account, status_id
