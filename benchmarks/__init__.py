"""Measurements that are repeated with `make bench`; nothing of the pipeline imports them."""
