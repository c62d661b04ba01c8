"""How much each workflow is used on a day: base volume, weekday shape, growth and launches."""

from __future__ import annotations

import datetime as dt
import math

from sandbox import calendar
from sandbox.company import CODING, WORKFLOWS

# Requests in the 120 logged days at scale 1, split over workflows as in the model company's month.
PRODUCT_REQUESTS = 285_000
CODING_REQUESTS = 62_000

_WEEKDAY = {
    "support-copilot": (1.15, 1.12, 1.10, 1.08, 1.05, 0.80, 0.70),
    "contract-extraction": (1.30, 1.35, 1.30, 1.30, 1.20, 0.30, 0.25),
    "sales-research-agent": (1.35, 1.40, 1.35, 1.30, 1.20, 0.20, 0.20),
    "internal-knowledge-bot": (1.35, 1.35, 1.35, 1.30, 1.15, 0.25, 0.25),
    "marketing-drafting": (1.30, 1.35, 1.40, 1.35, 1.20, 0.20, 0.20),
    "everything-else": (1.10, 1.10, 1.10, 1.10, 1.10, 0.75, 0.75),
}
_CODING_WEEKDAY = (1.35, 1.42, 1.42, 1.38, 1.23, 0.12, 0.08)
YEARLY_GROWTH = 0.7
_MIDDLE_OF_LOG = calendar.LAST_DAY - dt.timedelta(days=calendar.LOG_DAYS // 2)
_TOTAL_CALLS = sum(w.model_calls for w in WORKFLOWS)


def mean_calls(stream: int, day: dt.date, scale: float) -> float:
    """Expected calls of a workflow (or of the coding tool) on a day, before daily noise."""
    growth = math.exp(YEARLY_GROWTH * (day - _MIDDLE_OF_LOG).days / 365)
    if stream == CODING:
        return scale * CODING_REQUESTS / calendar.LOG_DAYS * _CODING_WEEKDAY[day.weekday()] * growth
    workflow = WORKFLOWS[stream]
    base = PRODUCT_REQUESTS * workflow.model_calls / _TOTAL_CALLS / calendar.LOG_DAYS
    launched = 1.0
    if workflow.workflow == "internal-knowledge-bot" and day < calendar.LAUNCH_KNOWLEDGE_BOT:
        launched = 0.08
    if workflow.workflow == "marketing-drafting" and day < calendar.LAUNCH_BRAND_STUDIO:
        launched = 0.05
    if workflow.workflow == "support-copilot" and day >= calendar.LAUNCH_SUPPORT_EMEA:
        launched = 1.25
    return scale * base * _WEEKDAY[workflow.workflow][day.weekday()] * growth * launched
