select
    cast(rule_id as string) as rule_id,
    cast(coalesce(priority, 1000) as integer) as priority,
    cast(source as string) as source,
    cast(service_name as string) as service_name,
    cast(sub_account_id as string) as sub_account_id,
    cast(charge_category as string) as charge_category,
    cast(method as string) as method,
    cast(basis as string) as basis,
    cast(target_team as string) as target_team,
    cast(weight as decimal(28, 12)) as weight,
    coalesce(cast(valid_from as date), cast('1900-01-01' as date)) as valid_from,
    coalesce(cast(valid_to as date), cast('9999-12-31' as date)) as valid_to
from {{ ref('allocation_rules') }}
