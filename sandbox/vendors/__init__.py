"""One module per vendor: its paths, its shapes and its manners, written from its contract."""
