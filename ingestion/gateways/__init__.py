"""Request logs of model gateways: one module per gateway."""
