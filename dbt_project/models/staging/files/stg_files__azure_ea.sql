{{ stage_azure_cost(source('raw', 'files__azure_ea')) }}
