"""Every number that shapes a decision, in immutable objects with a stable hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# Change when the arithmetic changes, so that the hash of a row tells old results from new ones.
METHOD_VERSION = "2"

Z95 = 1.6448536269514722
# One-sided z of the first and the second of two O'Brien-Fleming looks, overall 0.05.
TWO_LOOKS = (2.373, 1.678)


def _digest(settings: Mapping[str, Any]) -> str:
    text = json.dumps({"method_version": METHOD_VERSION, **settings}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Override:
    """A named person's decision to size although the data gate refuses; printed with the result."""

    owner: str
    reason: str

    def __post_init__(self) -> None:
        """Raise ValueError for an override nobody answers for."""
        if not self.owner.strip() or not self.reason.strip():
            raise ValueError("an override of the data gate needs an owner and a reason")


@dataclass(frozen=True)
class CommitmentConfig:
    """Parameters of commitment sizing; shares are fractions, lengths as named."""

    window_days: int = 90
    size_growth: float = 0.2
    min_days: int = 30
    min_weeks: int = 4
    min_attribution: float = 0.95
    max_incident_share: float = 0.05
    shift_days: int = 14
    shift_k: float = 0.5
    shift_h: float = 5.0
    young_days: int = 60
    max_p_loss: float = 0.10
    min_captured: float = 0.5
    max_folds: int = 26
    risk_aversion: float = 0.0
    annual_price_fall: float = 0.0
    bootstrap_draws: int = 200
    scenario_draws: int = 1000
    lever_horizon_hours: float = 8760.0
    seed: int = 20260101
    overrides: Mapping[str, Override] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError for settings no advice can be given with."""
        if not 0 <= self.risk_aversion <= 1 or not 0 <= self.annual_price_fall < 1:
            raise ValueError("risk_aversion must be in [0, 1] and annual_price_fall in [0, 1)")
        if self.window_days < 7 or self.max_folds < 1 or min(self.bootstrap_draws, self.scenario_draws) < 1:
            raise ValueError("window_days must be at least 7, max_folds and draws at least 1")

    def hash(self) -> str:
        """Sixteen hex digits that are equal exactly when method version and every setting are equal."""
        return _digest(asdict(self) | {"overrides": {k: asdict(v) for k, v in self.overrides.items()}})


@dataclass(frozen=True)
class Waiver:
    """Leave to promote below the baseline's pass rate (never below the margin), by a named owner for a reason."""

    owner: str
    reason: str

    def __post_init__(self) -> None:
        """Raise ValueError for a waiver nobody answers for."""
        if not self.owner.strip() or not self.reason.strip():
            raise ValueError("a waiver of the point rule needs an owner and a reason")


@dataclass(frozen=True)
class GateConfig:
    """Parameters of the evaluation gate, set before the run; margins are absolute differences of pass rates.

    `looks` is 1 (fixed n) or 2 (O'Brien-Fleming); `look` says which one this is. `limits` name side limits:
    `latency_p95_ms`, `refusal_rate` (largest value allowed for the candidate). Safety failures are never allowed.
    """

    margin: float = 0.02
    margin_slice: float = 0.05
    power: float = 0.8
    min_items: int = 30
    min_coverage: float = 0.99
    point_rule: bool = True
    waiver: Waiver | None = None
    critical_slices: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    looks: int = 1
    look: int = 1
    draws: int = 2000
    seed: int = 20260101
    rework_cost: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a plan of looks other than one or two, an empty margin or an unknown limit."""
        if self.looks not in (1, 2) or not 1 <= self.look <= self.looks:
            raise ValueError(f"look {self.look} of {self.looks}: only a fixed n or two planned looks are allowed")
        if not 0 < self.margin < 1 or not 0 < self.margin_slice < 1 or self.draws < 100:
            raise ValueError("margins must be in (0, 1) and the bootstrap needs at least 100 draws")
        unknown = set(self.limits) - {"latency_p95_ms", "refusal_rate"}
        if unknown:
            raise ValueError(f"unknown side limits: {', '.join(sorted(unknown))}")

    @property
    def z(self) -> float:
        """One-sided z of this look."""
        return Z95 if self.looks == 1 else TWO_LOOKS[self.look - 1]

    def hash(self) -> str:
        """Sixteen hex digits that are equal exactly when method version and every setting are equal."""
        return _digest(asdict(self) | {"limits": dict(self.limits)})


@dataclass(frozen=True)
class SignalConfig:
    """Parameters of signals and incidents; `floor` is money per day, shares are fractions, lengths in days."""

    history: int = 28
    lookback: int = 56
    min_history: int = 7
    spread_floor: float = 0.25
    log_floor: float = 0.10
    week_log_floor: float = 0.15
    floor: float = 5.0
    floor_share: float = 0.01
    notice_ratio: float = 2.0
    page_z: float = 6.0
    week_notice: tuple[float, float] = (1.3, 2.0)
    week_page: tuple[float, float] = (2.0, 4.0)
    share_z: float = 4.0
    cusum_k: float = 0.5
    cusum_h: float = 5.0
    false_notice_rate: float = 0.2
    cooldown_days: int = 3
    closing_periods: int = 3
    parent_share: float = 0.6
    pages_per_team: int = 5
    redo_days: int = 3

    def hash(self) -> str:
        """Sixteen hex digits that are equal exactly when method version and every setting are equal."""
        return _digest(asdict(self))
