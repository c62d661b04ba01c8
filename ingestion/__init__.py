"""Vendor APIs, object storage and dropped files → raw lake. No business rules, no dollars computed, no dagster."""
