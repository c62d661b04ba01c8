"""Every number that shapes a forecast, in one immutable object with a stable hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

# Change when the arithmetic changes, so that the hash of a row tells old results from new ones.
METHOD_VERSION = "2"


@dataclass(frozen=True)
class ForecastConfig:
    """Parameters of forecasting; shares and levels are fractions, lengths are days, money is the series' currency."""

    horizons: tuple[int, ...] = (7, 14, 30)
    origin_step: int = 5
    min_training: int = 70
    min_training_thin: int = 21
    min_windows: int = 3
    min_windows_to_choose: int = 6
    clear_winner_margin: float = 0.10
    wait_days: int = 7
    thin_active_days: int = 14
    materiality: float = 0.01
    materiality_days: int = 56
    bottom_levels: tuple[str, ...] = ("workflow", "team", "provider")
    own_weight: float = 0.5
    pool_days: int = 150
    score_min_active: int = 21
    score_min_active_28: int = 3
    score_offset: float = 0.25
    score_offset_floor: float = 0.01
    adaptive_rate: float = 0.02
    adaptive_bounds: tuple[float, float] = (0.004, 0.6)
    coverage_days: int = 180
    coverage_min_windows: int = 8
    min_effective_windows: float = 2.0
    watch_pace: float = 0.8
    watch_probability: float = 0.3
    watch_period_left: float = 0.25
    warn_probability: float = 0.5
    critical_probability: float = 0.8
    # Share of final cost already visible, by series_key; a series that is not named is final (1).
    completeness: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError for a setting no forecast can be made with."""
        if not self.horizons or min(self.horizons) < 1 or self.origin_step < 1:
            raise ValueError("horizons and origin_step must be at least 1 day")
        for key, share in self.completeness.items():
            if not 0 < share <= 1:
                raise ValueError(f"series {key!r}: completeness must be in (0, 1], got {share}")

    def hash(self) -> str:
        """Sixteen hex digits that are equal exactly when method version and every setting are equal."""
        settings = {"method_version": METHOD_VERSION, **asdict(self), "completeness": dict(self.completeness)}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
