select
    horizon, method, peer, series, windows, blocks, relative_wape, lo95, hi95, seed, state
from {{ source('raw', 'method_comparison') }}
