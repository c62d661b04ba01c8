{{ mistral_usage('mistral__usage') }}
