select
    unit, items, wape, mdape, bias, coverage80, coverage95, state
from {{ source('raw', 'work_item_accuracy') }}
