"""Model vendors with an organization API: one module per vendor."""
