{{ config(materialized='view') }}
{%- set pattern = '^https?://[^/]+/(.+?)(/-/merge_requests|/pull)/([0-9]+)$' %}
select distinct
    {{ work_row(pull_request_link_columns(), {
        'account': 'links.account',
        'repo': "regexp_extract(links.url, '" ~ pattern ~ "', 1)",
        'number': "nullif(regexp_extract(links.url, '" ~ pattern ~ "', 3), '')",
        'work_item_key': 'upper(coalesce(issues.identifier, links.issue_identifier))',
    }, 'pull request link') }}
from {{ ref('stg_linear__attachments') }} as links
left join {{ ref('stg_linear__issues') }} as issues on issues.account = links.account and issues.id = links.issue_id
where regexp_extract(links.url, '{{ pattern }}', 3) <> ''
