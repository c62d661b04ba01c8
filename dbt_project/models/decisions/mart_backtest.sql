select
    series_key, level, as_of, horizon, method, forecast, actual, lo80, hi80, lo95, hi95, error, is_resolved, run_id, data_cutoff,
    config_hash
from {{ source('raw', 'backtest') }}
