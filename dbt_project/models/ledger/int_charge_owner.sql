-- Who answers for a charge when no request does: the nearest owner wins (resource of a split charge, key, principal,
-- workspace or project, tag, sub account); before the account a team or cost centre named by the charge's own tags.
-- The part of a split charge carries its resource's tags apart from its own (FOCUS AllocatedTags); they come first.
with charges as (
    select charges.*
    from {{ ref('focus_cost_and_usage') }} as charges
    inner join {{ ref('int_ledger_scope') }} as scope on scope.charge_date = charges.charge_date
),

-- Looked up per distinct combination: a bill repeats its keys, projects and tags on thousands of rows.
places as (
    select distinct
        charge_date, x_SourceId, x_CredentialId, x_WorkspaceId, SubAccountId, Tags, x_PrincipalId, AllocatedResourceId, AllocatedTags
    from charges
),

plain as (
    select distinct Tags, AllocatedTags, {{ plain_tags('Tags') }} as own_tags, {{ plain_tags('AllocatedTags') }} as split_tags
    from places
    where Tags is not null or AllocatedTags is not null
),

named as (
    select
        Tags,
        AllocatedTags,
        {{ first_tag(['split_tags', 'own_tags'], ['team', 'Team']) }} as tag_team,
        {{ first_tag(['split_tags', 'own_tags'], ['cost_center', 'cost-center', 'CostCenter', 'costcenter']) }} as tag_cost_center,
        {{ first_tag(['split_tags', 'own_tags'], ['workflow']) }} as tag_workflow,
        {{ first_tag(['split_tags', 'own_tags'], ['environment', 'env', 'Environment']) }} as tag_environment
    from plain
),

tagged as (
    select places.*, named.tag_team, named.tag_cost_center, named.tag_workflow, named.tag_environment
    from places
    left join named
        on named.Tags is not distinct from places.Tags and named.AllocatedTags is not distinct from places.AllocatedTags
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
    union
    select charge_date, x_SourceId as source, 'principal' as object_type, x_PrincipalId as external_id from places
    where x_PrincipalId is not null
    union
    select charge_date, x_SourceId as source, 'resource' as object_type, AllocatedResourceId as external_id from places
    where AllocatedResourceId is not null
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

-- A tag counts as the pair it is, `"key":"value"`, with or without the prefix its vendor writes.
tag_owners as (
    select
        tagged.charge_date, tagged.x_SourceId, tagged.Tags, tagged.AllocatedTags, owners.team, owners.workflow, owners.person_id,
        owners.environment
    from (
        select distinct places.charge_date, places.x_SourceId, plain.*
        from places
        inner join plain
            on plain.Tags is not distinct from places.Tags and plain.AllocatedTags is not distinct from places.AllocatedTags
    ) as tagged
    inner join {{ ref('dim_owner') }} as owners
        on owners.source = tagged.x_SourceId
        and owners.object_type = 'tag'
        and owners.external_id like '%=%'
        and not owners.is_disputed
        and tagged.charge_date >= owners.valid_from
        and tagged.charge_date < owners.valid_to
        and position({{ tag_pair('owners.external_id') }} in concat(
            coalesce(tagged.split_tags, ''), ' ', coalesce(tagged.own_tags, ''), ' ', coalesce(tagged.Tags, ''))) > 0
    qualify row_number() over (
        partition by tagged.charge_date, tagged.x_SourceId, tagged.Tags, tagged.AllocatedTags
        order by
            case when position({{ tag_pair('owners.external_id') }} in coalesce(tagged.split_tags, '')) > 0 then 0 else 1 end,
            owners.external_id
    ) = 1
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
        tagged.x_PrincipalId, tagged.AllocatedResourceId, tagged.AllocatedTags,
        coalesce(keys.is_gateway, false) as is_gateway,
        coalesce(
            resources.is_disputed or keys.is_disputed or machines.is_disputed or workspaces.is_disputed or projects.is_disputed
                or accounts.is_disputed, false) as is_disputed,
        coalesce(resources.person_id, keys.person_id, principals.person_id, machines.person_id, workspaces.person_id, projects.person_id)
            as person_id,
        coalesce(resources.workflow, keys.workflow, machines.workflow, workspaces.workflow, projects.workflow, tag_owners.workflow, tagged.tag_workflow, accounts.workflow) as workflow,
        coalesce(resources.environment, keys.environment, machines.environment, workspaces.environment, projects.environment, tag_owners.environment, tagged.tag_environment,
            accounts.environment) as environment,
        case
            when resources.team is not null then 'split_resource_owner'
            when keys.team is not null then 'api_key_owner'
            when machines.team is not null then 'principal_owner'
            when workspaces.team is not null then 'workspace_owner'
            when projects.team is not null then 'project_owner'
            when tag_owners.team is not null then 'tag_owner'
            when teams.team is not null then 'team_tag'
            when cost_centers.team is not null then 'cost_center_tag'
            when accounts.team is not null then 'sub_account_owner'
        end as owner_method,
        coalesce(resources.team, keys.team, machines.team, workspaces.team, projects.team, tag_owners.team, teams.team, cost_centers.team, accounts.team)
            as team
    from tagged
    left join owned as resources
        on resources.object_type = 'resource' and resources.charge_date = tagged.charge_date
        and resources.source = tagged.x_SourceId and resources.external_id = tagged.AllocatedResourceId
    left join owned as machines
        on machines.object_type = 'principal' and machines.charge_date = tagged.charge_date
        and machines.source = tagged.x_SourceId and machines.external_id = tagged.x_PrincipalId
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
        on tag_owners.charge_date = tagged.charge_date and tag_owners.x_SourceId = tagged.x_SourceId
        and tag_owners.Tags is not distinct from tagged.Tags
        and tag_owners.AllocatedTags is not distinct from tagged.AllocatedTags
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
    found.is_disputed,
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
    and found.AllocatedResourceId is not distinct from charges.AllocatedResourceId
    and found.AllocatedTags is not distinct from charges.AllocatedTags
