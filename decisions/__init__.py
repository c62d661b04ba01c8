"""Decisions from the ledger: how to pay, what to promote, what to look at. Frames in, frames out.

Pure: no file, no clock, no global random state (draws come from a seed in the config). Money is the reporting currency.
Entry points: `commitments.advise`, `performance.performance`, `eval_gate.evaluate`, `levers.impact`, `signals`,
`incidents.fold`, `scoring.score`.
"""
