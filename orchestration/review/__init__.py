"""The review pack: one page and one workbook that finance reads, made from a published snapshot alone."""

from orchestration.review.model import GateResult, ReviewContext, ReviewFiles
from orchestration.review.pack import build
from orchestration.review.summary import summary

__all__ = ["GateResult", "ReviewContext", "ReviewFiles", "build", "summary"]
