"""Assets, gates, schedules, the published snapshot and the command line: the only room that knows Dagster."""
