-- The newest version of an issue wins; equal update times are decided by the window that saw it last.
select *
from {{ ref('stg_jira__issues') }}
qualify row_number() over (partition by raw_account, id order by updated_at desc, raw_window desc, raw_ordinal desc) = 1
