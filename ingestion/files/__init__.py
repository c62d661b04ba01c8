"""Billing and invoice files that people drop into a folder or a bucket prefix."""
