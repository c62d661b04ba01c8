select
    cast(customer_id as string) as customer_id,
    cast(customer_name as string) as customer_name
from {{ ref('customers') }}
