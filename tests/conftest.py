"""Property tests draw the same examples in every run of the suite; `make soak` draws new ones."""

from hypothesis import settings

settings.register_profile("suite", derandomize=True, database=None)
settings.register_profile("soak", print_blob=True)
settings.load_profile("suite")
