select
    scope, month, version, frozen_forecast, override, actual, variance, variance_share, inside80, inside95, months,
    wape, bias, override_wape, accuracy_state, forecast_kpi, budget, budget_variance, budget_kpi, new_baseline,
    new_baseline_lo80, new_baseline_hi80, content_hash, signed_by, signed_on, sign_off_state
from {{ source('raw', 'forecast_reset') }}
