"""A signed month of a company with half a year behind it, restated by its vendor: what finance sees, end to end."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import pytest

from sandbox.server import serving
from tests.pipeline.conftest import CORE, Home, quiet  # noqa: F401

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
AUGUST, DAY = dt.date(2026, 8, 1), dt.date(2026, 8, 19)


def test_a_signed_month_keeps_its_figures_and_shows_what_came_late(tmp_path: Path) -> None:
    """The sandbox's finance has signed August. `AISL_SOAK_KEEP` names a folder for the pages of the last run."""
    with serving(tmp_path / "sandbox", days=150, scale=0.2, only=CORE) as (vendors, port):
        home = Home(tmp_path / "home", vendors.environment(port))
        assert home.run(), (home.failed, home.failures)
        of_august = f"select * from marts.forecast_reset where month = date '{AUGUST}' and sign_off_state = 'signed' order by scope"
        signed = home.query(of_august)
        assert signed
        vendors.change(faults=[{"kind": "restated_day", "vendor": "anthropic", "day": DAY.isoformat()}])
        assert home.run(days=(DAY, DAY)), (home.failed, home.failures)
        assert home.query(of_august) == signed, "signed figures changed"
        again = home.query(
            "select new.scope, new.actual - old.actual, new.version from marts.forecast_reset as new"
            " join marts.forecast_reset as old on old.scope = new.scope and old.month = new.month and old.version = new.version - 1"
            f" where new.month = date '{AUGUST}' and new.sign_off_state = 'restated after sign-off'"
        )
        moved = {scope: change for scope, change, version in again if version == 2}
        assert moved["total:total"] == moved["provider:Anthropic"] > 0
        lines = dict(
            home.query(
                f"select scope, amount from marts.variance_bridge where month = date '{AUGUST}' and comparison = 'forecast' and effect = 'late_data'"
            )
        )
        assert lines["total:total"] == moved["total:total"] and lines["provider:Anthropic"] == moved["provider:Anthropic"]
        page = (home.path / "published/current/reset.html").read_text(encoding="utf-8")
        assert "restated after sign-off" in page and "Restated after the close" in page
        if keep := os.environ.get("AISL_SOAK_KEEP"):
            for name in ("reset.html", "review.xlsx"):
                shutil.copy(home.path / "published/current" / name, Path(keep) / name)
