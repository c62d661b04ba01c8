select
    pool, offer_id, driver, change, u_star, headroom, as_of, run_id, config_hash
from {{ source('raw', 'commitment_sensitivity') }}
