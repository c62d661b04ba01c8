select
    series_key, level, scope, as_of, period_start, period_end, spent, point, lo80, hi80, lo95, hi95, n_eff,
    range_state, method, quality, has_known_changes, run_id, data_cutoff, config_hash, frozen_on, basis, freeze_day
from {{ source('raw', 'frozen_outlook') }}
