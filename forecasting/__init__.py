"""Forecasts of AI spend with their measured error: frames in, frames out.

Pure: no file, no clock, no random state. Entry point: `forecasting.run.forecast`.
"""
