select
    workflow, model, window_days, removed_days, calls_per_day, share, tokens_input_uncached, tokens_cache_read,
    tokens_cache_write, tokens_output, rate_per_million, cost_per_day, source
from {{ source('raw', 'baseline_drivers') }}
