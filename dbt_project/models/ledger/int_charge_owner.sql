-- Who answers for a charge when no request does: the nearest owner wins (key, workspace or project, tag, sub account),
-- then a team or cost centre named by the charge's own tags.
with charges as (
    select charges.*
    from {{ ref('focus_cost_and_usage') }} as charges
    inner join {{ ref('int_ledger_scope') }} as scope on scope.charge_date = charges.charge_date
),

-- Looked up per distinct combination: a bill repeats its keys, projects and tags on thousands of rows.
places as (
    select distinct charge_date, x_SourceId, x_CredentialId, x_WorkspaceId, SubAccountId, Tags, x_PrincipalId from charges
),

tagged as (
    select
        *,
        coalesce({{ json_text('Tags', 'team') }}, {{ json_text('Tags', 'Team') }}, {{ json_text('Tags', 'user:team') }}) as tag_team,
        coalesce(
            {{ json_text('Tags', 'cost_center') }}, {{ json_text('Tags', 'cost-center') }}, {{ json_text('Tags', 'CostCenter') }},
            {{ json_text('Tags', 'costcenter') }}, {{ json_text('Tags', 'user:cost_center') }}
        ) as tag_cost_center,
        coalesce({{ json_text('Tags', 'workflow') }}, {{ json_text('Tags', 'user:workflow') }}) as tag_workflow,
        coalesce(
            {{ json_text('Tags', 'environment') }}, {{ json_text('Tags', 'env') }}, {{ json_text('Tags', 'Environment') }},
            {{ json_text('Tags', 'user:environment') }}
        ) as tag_environment
    from places
),

references_of as (
    select charge_date, x_SourceId as source, 'api_key' as object_type, x_CredentialId as external_id from places
    where x_CredentialId is not null
    union
    select charge_date, x_SourceId as source, 'workspace' as object_type, x_WorkspaceId as external_id from places
    where x_WorkspaceId is not null
    union
    select charge_date, x_SourceId as source, 'project' as object_type, x_WorkspaceId as external_id from places
    where x_WorkspaceId is not null
    union
    select charge_date, x_SourceId as source, 'sub_account' as object_type, SubAccountId as external_id from places
    where SubAccountId is not null
),

owned as (
    select references_of.charge_date, owners.*
    from references_of
    inner join {{ ref('dim_owner') }} as owners
        on owners.source = references_of.source
        and owners.object_type = references_of.object_type
        and owners.external_id = references_of.external_id
        and references_of.charge_date >= owners.valid_from
        and references_of.charge_date < owners.valid_to
),

tag_owners as (
    select
        tagged.charge_date, tagged.x_SourceId, tagged.Tags, owners.team, owners.workflow, owners.person_id, owners.environment
    from (
        select distinct charge_date, x_SourceId, Tags from tagged where Tags is not null
    ) as tagged
    inner join {{ ref('dim_owner') }} as owners
        on owners.source = tagged.x_SourceId
        and owners.object_type = 'tag'
        and owners.external_id like '%=%'
        and tagged.charge_date >= owners.valid_from
        and tagged.charge_date < owners.valid_to
        and position(concat('"', split_part(owners.external_id, '=', 1), '"') in tagged.Tags) > 0
        and position(concat('"', split_part(owners.external_id, '=', 2), '"') in tagged.Tags) > 0
    qualify row_number() over (partition by tagged.charge_date, tagged.x_SourceId, tagged.Tags order by owners.external_id) = 1
),

cost_centers as (
    select cost_center, valid_from, valid_to, min(team) as team
    from {{ ref('dim_team') }}
    where cost_center is not null
    group by cost_center, valid_from, valid_to
    having count(distinct team) = 1
),

principals as (
    select places.charge_date, places.x_SourceId, places.x_PrincipalId, min(known.person_id) as person_id
    from (select distinct charge_date, x_SourceId, x_PrincipalId from places where x_PrincipalId is not null) as places
    inner join {{ ref('dim_identity') }} as known
        on known.external_id = case when known.system = 'email' then lower(places.x_PrincipalId) else places.x_PrincipalId end
        and known.system in ('email', {{ principal_system('places.x_SourceId') }})
        and places.charge_date >= known.valid_from
        and places.charge_date < known.valid_to
    group by places.charge_date, places.x_SourceId, places.x_PrincipalId
    having count(distinct known.person_id) = 1
),

found as (
    select
        tagged.charge_date, tagged.x_SourceId, tagged.x_CredentialId, tagged.x_WorkspaceId, tagged.SubAccountId, tagged.Tags,
        tagged.x_PrincipalId,
        coalesce(keys.is_gateway, false) as is_gateway,
        coalesce(keys.person_id, principals.person_id, workspaces.person_id, projects.person_id) as person_id,
        coalesce(keys.workflow, workspaces.workflow, projects.workflow, tag_owners.workflow, tagged.tag_workflow, accounts.workflow) as workflow,
        coalesce(keys.environment, workspaces.environment, projects.environment, tag_owners.environment, tagged.tag_environment,
            accounts.environment) as environment,
        case
            when keys.team is not null then 'api_key_owner'
            when workspaces.team is not null then 'workspace_owner'
            when projects.team is not null then 'project_owner'
            when tag_owners.team is not null then 'tag_owner'
            when teams.team is not null then 'team_tag'
            when cost_centers.team is not null then 'cost_center_tag'
            when accounts.team is not null then 'sub_account_owner'
        end as owner_method,
        coalesce(keys.team, workspaces.team, projects.team, tag_owners.team, teams.team, cost_centers.team, accounts.team) as team
    from tagged
    left join owned as keys
        on keys.object_type = 'api_key' and keys.charge_date = tagged.charge_date and keys.source = tagged.x_SourceId
        and keys.external_id = tagged.x_CredentialId
    left join owned as workspaces
        on workspaces.object_type = 'workspace' and workspaces.charge_date = tagged.charge_date
        and workspaces.source = tagged.x_SourceId and workspaces.external_id = tagged.x_WorkspaceId
    left join owned as projects
        on projects.object_type = 'project' and projects.charge_date = tagged.charge_date
        and projects.source = tagged.x_SourceId and projects.external_id = tagged.x_WorkspaceId
    left join owned as accounts
        on accounts.object_type = 'sub_account' and accounts.charge_date = tagged.charge_date
        and accounts.source = tagged.x_SourceId and accounts.external_id = tagged.SubAccountId
    left join tag_owners
        on tag_owners.charge_date = tagged.charge_date and tag_owners.x_SourceId = tagged.x_SourceId and tag_owners.Tags = tagged.Tags
    left join {{ ref('dim_team') }} as teams
        on teams.team = tagged.tag_team and tagged.charge_date >= teams.valid_from and tagged.charge_date < teams.valid_to
    left join cost_centers
        on cost_centers.cost_center = tagged.tag_cost_center
        and tagged.charge_date >= cost_centers.valid_from
        and tagged.charge_date < cost_centers.valid_to
    left join principals
        on principals.charge_date = tagged.charge_date and principals.x_SourceId = tagged.x_SourceId
        and principals.x_PrincipalId = tagged.x_PrincipalId
)

select
    cast(charges.x_charge_id as string) as x_charge_id,
    found.is_gateway,
    cast(found.person_id as string) as person_id,
    cast(found.team as string) as team,
    cast(found.workflow as string) as workflow,
    cast(found.environment as string) as environment,
    cast(found.owner_method as string) as owner_method,
    charges.charge_date
from charges
inner join found
    on found.charge_date = charges.charge_date
    and found.x_SourceId = charges.x_SourceId
    and found.x_CredentialId is not distinct from charges.x_CredentialId
    and found.x_WorkspaceId is not distinct from charges.x_WorkspaceId
    and found.SubAccountId is not distinct from charges.SubAccountId
    and found.Tags is not distinct from charges.Tags
    and found.x_PrincipalId is not distinct from charges.x_PrincipalId
