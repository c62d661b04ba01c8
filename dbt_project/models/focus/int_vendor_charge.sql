{{ handed_over('charge_models', vendor_charge_columns() + [('charge_date', 'date', none)]) }}
