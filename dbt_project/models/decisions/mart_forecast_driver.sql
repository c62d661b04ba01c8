select
    workflow, model, user_actions, fan_out, retry, share, tokens_input_uncached, tokens_cache_read,
    tokens_cache_write, tokens_output, price_input_uncached, price_cache_read, price_cache_write, price_output,
    data_cutoff
from {{ source('raw', 'forecast_drivers') }}
