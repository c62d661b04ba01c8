"""Sections of the review page by subject; each function turns the facts of a review into one section."""
