{{ mistral_usage('mistral__usage_by_workspace') }}
