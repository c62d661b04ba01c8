select
    item, mode, mean, median, lo80, hi80, lo95, hi95, actual, in_sample, state
from {{ source('raw', 'work_item_forecasts') }}
