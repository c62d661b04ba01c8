select *
from {{ ref('stg_github__pulls') }}
qualify row_number() over (partition by raw_account, id order by updated_at desc, raw_window desc, raw_ordinal desc) = 1
