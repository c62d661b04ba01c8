"""Bills that come as files: each module delivers into the drop folder or the bucket, as its vendor would.

A module has `deliver(world, folder, bucket)` (called again whenever clock or faults change; rewrites only what differs) and
may have `environment(folder, bucket)`, `ownership()`, `identities()` and `truth(company)` like a vendor.
"""

from __future__ import annotations

from types import ModuleType

EXPORTS: dict[str, ModuleType] = {}
