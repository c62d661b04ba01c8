select series_key, level, scope, as_of, target_date, point, method, state, run_id, data_cutoff, config_hash
from {{ source('raw', 'forecast_daily') }}
