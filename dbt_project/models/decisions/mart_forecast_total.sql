select
    series_key, level, scope, as_of, period_kind, period_start, period_end, point, lo80, hi80, lo95, hi95, n_eff,
    coverage80_180d, coverage95_180d, coverage_state, method, quality, run_id, data_cutoff, config_hash
from {{ source('raw', 'forecast_total') }}
