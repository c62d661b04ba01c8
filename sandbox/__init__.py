"""An invented company whose vendors answer over HTTP and S3, and the ground truth about it.

Written from the vendor contracts alone. It shares no code with the pipeline, and only tests, benchmarks and the
command line's `run` start it, as a process of its own.
"""
