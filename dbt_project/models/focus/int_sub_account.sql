select 'anthropic' as source, account, id as sub_account_id, coalesce(name, id) as sub_account_name
from {{ ref('stg_anthropic__workspaces') }}
union all
select 'openai' as source, account, id as sub_account_id, coalesce(name, id) as sub_account_name
from {{ ref('stg_openai__projects') }}
