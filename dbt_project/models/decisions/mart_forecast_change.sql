select
    series_key, level, scope, target_date, without_changes, with_changes, as_of, run_id
from {{ source('raw', 'forecast_changes') }}
