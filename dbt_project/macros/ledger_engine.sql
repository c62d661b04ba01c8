{#- Text and time expressions that only the ledger needs and that the two engines spell differently. -#}

{#- Whole milliseconds from the first instant to the second. -#}
{% macro milliseconds_between(first_at, second_at) -%}{{ return(adapter.dispatch('milliseconds_between')(first_at, second_at)) }}{%- endmacro %}
{% macro duckdb__milliseconds_between(first_at, second_at) -%}date_diff('millisecond', {{ first_at }}, {{ second_at }}){%- endmacro %}
{% macro default__milliseconds_between(first_at, second_at) -%}(unix_millis({{ second_at }}) - unix_millis({{ first_at }})){%- endmacro %}

{#- Text that looks like a ticket key, one row per hit: use in the select list. RE2 has no look-around, so every separator
    but `_` is doubled first: neighbouring keys then do not fight for the one character between them. -#}
{% macro ticket_key_hits(text) -%}{{ return(adapter.dispatch('ticket_key_hits')(text)) }}{%- endmacro %}
{% macro duckdb__ticket_key_hits(text) -%}
unnest(regexp_extract_all(regexp_replace({{ text }}, '([^A-Za-z0-9_])', '\1\1', 'g'), '{{ ticket_key_pattern() }}', 0))
{%- endmacro %}
{% macro default__ticket_key_hits(text) -%}
explode(regexp_extract_all(regexp_replace({{ text }}, '([^A-Za-z0-9_])', '$1$1'), '{{ ticket_key_pattern() }}', 0))
{%- endmacro %}
{% macro ticket_key_pattern() -%}(^|[^A-Za-z0-9])([A-Za-z][A-Za-z0-9_]{1,9})--([1-9][0-9]*)([^A-Za-z0-9]|$){%- endmacro %}

{#- Project prefix and full key of one hit of `ticket_key_hits`, in the letter case of the text. -#}
{% macro hit_project(hit) -%}regexp_extract({{ hit }}, '{{ ticket_key_pattern() }}', 2){%- endmacro %}
{% macro hit_key(hit) -%}
concat(regexp_extract({{ hit }}, '{{ ticket_key_pattern() }}', 2), '-', regexp_extract({{ hit }}, '{{ ticket_key_pattern() }}', 3))
{%- endmacro %}

{#- A ratio for reading: DOUBLE, null when the denominator is 0. Money itself never goes through here. -#}
{% macro ratio(numerator, denominator) -%}
cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0)
{%- endmacro %}

{#- One number for a set of rows whatever their order: an aggregate. Fast, not stable over engine versions; a new version
    costs one rebuild. -#}
{% macro rows_fingerprint(columns) -%}{{ return(adapter.dispatch('rows_fingerprint')(columns)) }}{%- endmacro %}
{% macro duckdb__rows_fingerprint(columns) -%}sum(cast(hash({{ columns | join(', ') }}) as hugeint)){%- endmacro %}
{% macro default__rows_fingerprint(columns) -%}sum(cast(xxhash64({{ columns | join(', ') }}) as decimal(38, 0))){%- endmacro %}

{#- Join condition of charges to int_gateway_workspace: tokens billed without a key belong to the pools of their workspace,
    project or sub account. -#}
{% macro is_gateway_workspace(charges, workspaces) -%}
{{ workspaces }}.provider_source = {{ charges }}.x_SourceId
        and {{ workspaces }}.provider_account = {{ charges }}.x_Account
        and {{ workspaces }}.workspace_id = case
            when {{ charges }}.x_CredentialId is null and {{ charges }}.x_TokenMeter is not null
                then coalesce({{ charges }}.x_WorkspaceId, {{ charges }}.SubAccountId)
        end
{%- endmacro %}

{#- Identity system in which a source names its users; every source may also name them by e-mail. -#}
{% macro principal_system(source) -%}
case {{ source }} when 'aws' then 'aws_principal' when 'files' then 'aws_principal' when 'copilot' then 'github_login' else concat({{ source }}, '_user_id') end
{%- endmacro %}

{#- A request's provider, as gateways and telemetry spell it, as the provider id of the price catalogue. -#}
{% macro price_provider(provider) -%}
case
    when {{ provider }} in ('bedrock', 'bedrock_converse', 'aws.bedrock', 'aws_bedrock', 'amazon-bedrock') then 'aws'
    when {{ provider }} in ('vertex_ai', 'gemini', 'vertexai', 'gcp.gemini', 'gcp.vertex_ai', 'gcp.gen_ai') then 'google'
    when {{ provider }} in ('azure.ai.openai', 'azure.ai.inference', 'az.ai.openai', 'az.ai.inference', 'azure_ai') then 'azure'
    when {{ provider }} in ('xai', 'x_ai') then 'x-ai'
    when {{ provider }} in ('mistral_ai', 'mistralai') then 'mistral'
    else {{ provider }}
end
{%- endmacro %}

{#- Tags held as JSON text, in compact spelling and without the prefixes that vendors put before the company's own keys:
    `user:` (AWS), `label/`, `project_label/` and `tag/` (GCP). -#}
{% macro plain_tags(document) -%}
replace(replace(replace(replace(replace(replace({{ document }}, '": ', '":'), ', "', ',"'), '"user:', '"'), '"project_label/', '"'), '"label/', '"'), '"tag/', '"')
{%- endmacro %}

{#- The first of `names` that one of the JSON `documents` has, documents in order. -#}
{% macro first_tag(documents, names) -%}
coalesce(
    {%- for document in documents %}{% set outer = loop %}{% for name in names %}{{ json_text(document, name) }}{{ ', ' if not (outer.last and loop.last) }}{% endfor %}{% endfor -%}
    {{ ', null' if documents | length * names | length == 1 }})
{%- endmacro %}

{#- `key=value` as it stands in compact JSON text. -#}
{% macro tag_pair(external_id) -%}
concat('"', split_part({{ external_id }}, '=', 1), '":"', split_part({{ external_id }}, '=', 2), '"')
{%- endmacro %}

{#- What a ledger row was for its work item (R75): `rework` from the day after the item was first done or merged, `review` when
    somebody else than its assignee worked on it while its first pull request was open, else `build`; null without a known item. -#}
{% macro work_phase(ledger, items) -%}
case
    when {{ items }}.work_item_key is null then null
    when {{ ledger }}.charge_date > cast({{ items }}.first_done_at as date) then 'rework'
    when {{ ledger }}.user_id <> {{ items }}.assignee_person_id and {{ ledger }}.charge_date >= cast({{ items }}.first_pull_request_at as date)
        then 'review'
    else 'build'
end
{%- endmacro %}
