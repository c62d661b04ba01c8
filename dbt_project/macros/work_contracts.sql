{#- The shapes in which a tracker's staging models hand over work, so that a new tracker needs no model after staging. Used
    like the shapes of vendor_contracts.sql; each is one row as the tracker knows it now, its newest version. -#}

{#- A ticket; var work_item_models. Required: account, native_id, work_item_key, project, created_at, updated_at.
    work_item_key: as people write it (SRCH-7 in upper case, or repo#7). status_category: new, indeterminate, done or
    canceled. sprint_ids: JSON array of ids of `sprint`. feature: title of the epic or project it belongs to.
    needs_reference: counted only when a pull request names it, for hosts whose issues repeat those of another tracker. -#}
{% macro work_item_columns() -%}
{{ return([
    ('account', 'string', none), ('native_id', 'string', none), ('work_item_key', 'string', none), ('project', 'string', none),
    ('title', 'string', none), ('work_item_type', 'string', "'Issue'"), ('status', 'string', none), ('status_id', 'string', none),
    ('status_category', 'string', none), ('resolution', 'string', none), ('parent_key', 'string', none),
    ('epic_key', 'string', none), ('feature', 'string', none), ('sprint_ids', 'string', none), ('priority', 'string', none),
    ('story_points', 'decimal(28,12)', none), ('assignee_id', 'string', none), ('assignee_system', 'string', none),
    ('created_at', 'timestamp', none), ('updated_at', 'timestamp', none), ('resolved_at', 'timestamp', none),
    ('is_delivered', 'boolean', 'false'), ('needs_reference', 'boolean', 'false')
]) }}
{%- endmacro %}

{#- A key that a ticket had before it moved; var work_item_former_key_models. All required. -#}
{% macro work_item_former_key_columns() -%}
{{ return([('account', 'string', none), ('native_id', 'string', none), ('former_key', 'string', none)]) }}
{%- endmacro %}

{#- A change of a ticket's status or assignee; var work_item_change_models. Required: account, native_id, field (status or
    assignee), changed_at, change_key. Ids are those of work_item: status_id, assignee_id. change_key orders changes of one
    instant. A tracker without history hands over none: its tickets then show no day in progress. -#}
{% macro work_item_change_columns() -%}
{{ return([
    ('account', 'string', none), ('native_id', 'string', none), ('field', 'string', none), ('from_id', 'string', none),
    ('to_id', 'string', none), ('changed_at', 'timestamp', none), ('change_key', 'string', none)
]) }}
{%- endmacro %}

{#- The category of a status id, as it was first seen; var work_item_status_models. All required. -#}
{% macro work_item_status_columns() -%}
{{ return([('account', 'string', none), ('status_id', 'string', none), ('status_category', 'string', none)]) }}
{%- endmacro %}

{#- A sprint, cycle or iteration; var sprint_models. Required: account, sprint_id, name, started_at, ended_at (exclusive). -#}
{% macro sprint_columns() -%}
{{ return([
    ('account', 'string', none), ('sprint_id', 'string', none), ('name', 'string', none), ('board', 'string', none),
    ('started_at', 'timestamp', none), ('ended_at', 'timestamp', none), ('completed_at', 'timestamp', none)
]) }}
{%- endmacro %}

{#- A known ticket prefix; var project_key_models. Required: project_key. Only known prefixes make a text a ticket key. -#}
{% macro project_key_columns() -%}
{{ return([('account', 'string', none), ('project_key', 'string', none)]) }}
{%- endmacro %}

{#- A pull or merge request; var pull_request_models. Required: account, pull_request_id (unique over all hosts), repo, number,
    created_at, updated_at. Author: looked up by author_id, else by author_login, each in its identity system.
    closing_reference: key of an issue of the same host that merging closes. branch_reference: issue of the same host that
    the branch's name stands for; it counts when nothing else names a work item. -#}
{% macro pull_request_columns() -%}
{{ return([
    ('account', 'string', none), ('pull_request_id', 'string', none), ('repo', 'string', none), ('number', 'bigint', none),
    ('title', 'string', none), ('state', 'string', none), ('branch', 'string', none), ('base_branch', 'string', none),
    ('merge_commit_sha', 'string', none), ('author_id', 'string', none), ('author_id_system', 'string', none),
    ('author_login', 'string', none), ('author_login_system', 'string', none), ('is_bot', 'boolean', 'false'),
    ('is_draft', 'boolean', 'false'), ('closing_reference', 'string', none), ('branch_reference', 'string', none),
    ('created_at', 'timestamp', none), ('updated_at', 'timestamp', none), ('closed_at', 'timestamp', none),
    ('merged_at', 'timestamp', none)
]) }}
{%- endmacro %}

{#- A ticket's own list of pull requests; var pull_request_link_models. All required. -#}
{% macro pull_request_link_columns() -%}
{{ return([
    ('account', 'string', none), ('repo', 'string', none), ('number', 'bigint', none), ('work_item_key', 'string', none)
]) }}
{%- endmacro %}

{#- A deployment; var deployment_models. Required: account, deployment_id (unique over all hosts), repo, sha, environment,
    created_at. first_success_at: null while it never succeeded. -#}
{% macro deployment_columns() -%}
{{ return([
    ('account', 'string', none), ('deployment_id', 'string', none), ('repo', 'string', none), ('sha', 'string', none),
    ('ref', 'string', none), ('environment', 'string', none), ('is_production', 'boolean', 'false'),
    ('latest_state', 'string', none), ('creator_id', 'string', none), ('creator_id_system', 'string', none),
    ('created_at', 'timestamp', none), ('first_success_at', 'timestamp', none)
]) }}
{%- endmacro %}

{#- A commit; var commit_models. Required: account, repo, sha, key_texts, authored_at, committed_at. key_texts: JSON array of
    the texts of its subject that look like a ticket (SRCH-42, UTF-8, #12). Author: looked up by author_id, else by
    author_login, else by author_email (lower case). authored_at: when it was written; committed_at: made as it is now. -#}
{% macro commit_columns() -%}
{{ return([
    ('account', 'string', none), ('repo', 'string', none), ('sha', 'string', none), ('author_id', 'string', none),
    ('author_id_system', 'string', none), ('author_login', 'string', none), ('author_login_system', 'string', none),
    ('author_email', 'string', none), ('is_bot', 'boolean', 'false'), ('is_merge', 'boolean', 'false'),
    ('key_texts', 'string', none), ('authored_at', 'timestamp', none), ('committed_at', 'timestamp', none)
]) }}
{%- endmacro %}

{#- Select list of one row of a shape: `work_row(sprint_columns(), {...}, 'sprint')`. -#}
{% macro work_row(columns, values, contract) -%}
{{ contract_row(columns, values, {}, contract) }}
{%- endmacro %}

{#- Key of the issue that a pull request's title says it closes ("fixes #12"), null without one. -#}
{% macro closing_reference(repo, title) -%}
{%- set words = "(close|closes|closed|fix|fixes|fixed|resolve|resolves|resolved) #([1-9][0-9]*)" -%}
{{ repo }} || '#' || nullif(regexp_extract(lower({{ title }}), '{{ words }}', 2), '')
{%- endmacro %}

{#- Category of a Linear workflow state by its type; a type that is not known yet gives null. -#}
{% macro linear_status_category(state_type) -%}
case
    when {{ state_type }} in ('triage', 'backlog', 'unstarted') then 'new'
    when {{ state_type }} = 'started' then 'indeterminate'
    when {{ state_type }} = 'completed' then 'done'
    when {{ state_type }} in ('canceled', 'duplicate') then 'canceled'
end
{%- endmacro %}
