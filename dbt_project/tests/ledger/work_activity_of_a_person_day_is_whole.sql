select charge_date, person_id, sum(share_ppm) as share_ppm
from {{ ref('fct_work_activity') }}
group by charge_date, person_id
having sum(share_ppm) <> 1000000
