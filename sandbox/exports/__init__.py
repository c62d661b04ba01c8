"""Bills that come as files: each module delivers into the drop folder or the bucket, as its vendor would.

A module has `deliver(world, folder, bucket)` (called again whenever clock or faults change; rewrites only what differs) and
may have `environment(folder, bucket)`, `ownership()`, `identities()` and `truth(company)` like a vendor.
"""

from __future__ import annotations

from types import ModuleType

from sandbox.exports import (
    agent_logs,
    aws_cur,
    azure,
    azure_llm_logs,
    bedrock_logs,
    evaluations,
    expenses,
    focus_files,
    gcp,
    otel,
    outcomes,
    seats,
)

EXPORTS: dict[str, ModuleType] = {
    "agent_logs": agent_logs,
    "aws_cur": aws_cur,
    "azure": azure,
    "focus_files": focus_files,
    "gcp": gcp,
    "otel": otel,
    "bedrock_logs": bedrock_logs,
    "azure_llm_logs": azure_llm_logs,
    "seats": seats,
    "expenses": expenses,
    "outcomes": outcomes,
    "evaluations": evaluations,
}
