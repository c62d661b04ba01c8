-- Workspaces, projects and sub accounts that the gateway uses and whose bill names no key: they tell its pools apart.
select distinct
    cast(provider_source as string) as provider_source,
    cast(provider_account as string) as provider_account,
    cast(workspace_id as string) as workspace_id
from {{ ref('gateway_deployments') }}
where provider_credential_id is null and workspace_id is not null
