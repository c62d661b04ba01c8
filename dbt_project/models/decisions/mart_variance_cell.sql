select
    scope, team, workflow, model, variant, line, month, amount, rank, label
from {{ source('raw', 'variance_cells') }}
