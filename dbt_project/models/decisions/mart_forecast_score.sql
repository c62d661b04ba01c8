select
    scope, month, kind, freeze_day, forecast, actual, error, ape, inside80, inside95, months, wape, bias, machine_wape, state,
    issued_on, author, reason, frozen_on, basis, data_cutoff, method
from {{ source('raw', 'forecast_scores') }}
