"""Assets by room: raw, warehouse (one dbt op per stage), forecasts, decisions."""
