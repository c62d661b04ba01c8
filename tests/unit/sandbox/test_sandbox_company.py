"""The generated company: the same bytes for a seed, and bills that are the sum of their calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sandbox import build, calendar, seeds
from sandbox.company import CREDENTIALS, DEPLOYMENTS, PEOPLE, TEAMS, VIRTUAL_KEYS
from sandbox.requests import FAILED, OK, STAMP_SESSION, STAMP_TEAM, STAMP_TICKET, STAMP_USER

_DIGEST = """
import hashlib, io, sys
from pathlib import Path
from sandbox import build
company = build.load(Path(sys.argv[1]), 4, 7, 0.05)
digest = hashlib.sha256()
for path in sorted(Path(sys.argv[1]).rglob("*")):
    if path.is_file():
        digest.update(path.name.encode() + path.read_bytes())
print(digest.hexdigest())
"""


def _digest(folder, hash_seed: str) -> str:
    env = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", _DIGEST, str(folder)], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_one_seed_gives_the_same_bytes_in_every_process(tmp_path):
    assert _digest(tmp_path / "a", "1") == _digest(tmp_path / "b", "4242")


def test_another_seed_gives_another_company(company):
    other = build.generate(company.days[-2:], 2, company.scale)
    same = company.log.filter(pl.col("day") >= company.days[-2].toordinal())
    assert other.log["start"].to_list() != same["start"].to_list()


def test_a_shorter_company_is_the_end_of_a_longer_one(company):
    short = build.generate(calendar.days_ending(3), 1, company.scale)
    tail = company.log.filter(pl.col("day") >= short.days[0].toordinal())
    assert_frame_equal(short.log, tail)
    assert_frame_equal(short.usage, company.usage.filter(pl.col("day") >= short.days[0]))


def test_usage_is_the_sum_of_requests_and_outside_traffic(company):
    columns = ["uncached", "cache_read", "write_5m", "write_1h", "output", "web"]
    facts = pl.DataFrame({"deployment": range(len(DEPLOYMENTS)), "model": [d.model for d in DEPLOYMENTS]})
    logged = company.log.filter((pl.col("status") != FAILED) & (pl.col("gateway_hit") == 0)).join(
        facts.with_columns(pl.col("deployment").cast(pl.Int64)), on="deployment"
    )
    days = {d.toordinal(): d for d in company.days}
    logged = logged.with_columns(pl.col("day").replace_strict(days, return_dtype=pl.Date))
    parts = pl.concat([logged.select("day", "model", *columns), company.outside.select("day", "model", *columns)])
    expected = parts.group_by("day", "model").sum().sort("day", "model")
    assert_frame_equal(company.usage.select("day", "model", *columns).group_by("day", "model").sum().sort("day", "model"), expected)


def test_failed_calls_and_gateway_cache_hits_cost_nothing(company):
    free = company.log.filter((pl.col("status") == FAILED) | (pl.col("gateway_hit") == 1))
    assert free.height > 0
    assert free["cost"].sum() == 0
    paid = company.log.filter((pl.col("status") == OK) & (pl.col("gateway_hit") == 0))
    assert paid.height > 0 and (paid["cost"] > 0).all()


def test_a_shown_ticket_is_the_true_ticket_and_lower_stamps_show_less(company):
    shown = company.log.filter(pl.col("stamp") == STAMP_TICKET)
    assert shown["tag_ticket"].null_count() == 0
    assert shown["tag_ticket"].to_list() == shown["true_ticket"].to_list()
    hidden = company.log.filter(pl.col("stamp") != STAMP_TICKET)
    assert hidden["tag_ticket"].null_count() == hidden.height
    assert hidden.filter(pl.col("stamp") == STAMP_SESSION)["session_id"].null_count() == 0
    users = hidden.filter(pl.col("stamp") == STAMP_USER)
    assert users["user"].null_count() == 0 and users["session_id"].null_count() == users.height
    teams = hidden.filter(pl.col("stamp") == STAMP_TEAM)
    assert teams["user"].null_count() == teams.height


def test_requests_have_unique_ids_and_end_after_they_start(company):
    assert company.log["request_id"].is_unique().all()
    assert (company.log["end"] > company.log["start"]).all()
    assert company.log["start"].is_sorted()


def test_one_user_action_of_the_research_agent_makes_many_calls(company):
    frame = build.requests.of_day(1, date(2026, 10, 13), 10.0, company.plan)
    agent = pl.DataFrame(frame).filter((pl.col("stream") == 2) & (pl.col("status") != FAILED))
    calls = agent.group_by("action").len()["len"]
    assert calls.len() > 30
    assert calls.mean() == pytest.approx(30, rel=0.1)


def test_work_steps_come_in_order(company):
    for issue in company.plan.issues:
        assert issue.started is None or issue.created <= issue.started
        assert issue.done is None or issue.started < issue.done
        assert [c.at for c in issue.changes] == sorted(c.at for c in issue.changes)
        assert all(c.at >= issue.created for c in issue.changes)
    keys = [i.key for i in company.plan.issues]
    assert len(keys) == len(set(keys))
    numbers = {(p.repo, p.number) for p in company.plan.pulls}
    assert len(numbers) == len(company.plan.pulls)
    assert all(n % 10 for _, n in numbers)


def test_no_request_is_older_than_its_ticket(company):
    created = pl.DataFrame({"true_ticket": [i.key for i in company.plan.issues], "created": [i.created for i in company.plan.issues]})
    late = company.log.join(created, on="true_ticket").filter(pl.col("start") < pl.col("created"))
    assert late.height == 0


def test_ownership_covers_every_key_but_the_orphans():
    owned = {(r["source"], r["object_type"], r["external_id"]) for r in seeds._ownership()}
    missing = [c.name for c in CREDENTIALS if c.key_id and (c.source, "api_key", c.key_id) not in owned]
    assert missing == ["legacy-7"]
    keys = [k.alias for k in VIRTUAL_KEYS if ("litellm", "api_key", k.key_hash) not in owned]
    assert keys == ["shared-experiments", "temp-key-3"]
    assert len(owned) == len(seeds._ownership())


def test_gateway_deployments_cover_every_deployment_of_the_log(company):
    listed = {r["model_id"] for r in seeds._deployments()}
    used = {DEPLOYMENTS[i].deployment_id for i in company.log["deployment"].unique()}
    assert used <= listed


def test_seed_files_on_disk_are_up_to_date(request):
    folder = request.config.rootpath / "dbt_project" / "seeds" / "company" / "sandbox"
    assert seeds.check(folder) == []


def test_the_company_has_sixty_engineers_in_eight_teams():
    assert len(PEOPLE) == 60 and len(TEAMS) == 8
    assert {p.team for p in PEOPLE} == {t.team for t in TEAMS}


def test_runaway_loop_stands_out_and_is_recorded(tmp_path):
    start = calendar.RUNAWAY_DAYS[0]
    plan, scale = build.work.build(1), 0.1
    loop = build.requests.of_day(1, start, scale, plan)
    before = build.requests.of_day(1, start - timedelta(days=7), scale, plan)
    assert (loop["incident"] == 1).sum() == int(build.requests.LOOP_CALLS * scale)
    assert loop["cost"].sum() > 3 * before["cost"].sum()
    days = (calendar.LAST_DAY - calendar.RETRY_STORM_DAY).days + 1
    build.load(tmp_path, days, 1, 0.05)
    found = {i["incident"]: i for i in json.loads((tmp_path / "truth" / "incidents.json").read_text())}
    assert found["retry_storm"]["days"] == [calendar.RETRY_STORM_DAY.isoformat()]
    assert found["retry_storm"]["requests"] > 20


def test_a_stored_company_is_loaded_again_unchanged(tmp_path):
    first = build.load(tmp_path, 2, 1, 0.05)
    second = build.load(tmp_path, 2, 1, 0.05)
    assert_frame_equal(first.log, second.log)
    assert_frame_equal(first.usage, second.usage)
    assert_frame_equal(first.outside, second.outside)


def test_demand_grows_and_launches_step_up():
    from sandbox import demand

    bot = next(i for i, w in enumerate(build.WORKFLOWS) if w.workflow == "internal-knowledge-bot")
    day = calendar.LAUNCH_KNOWLEDGE_BOT
    assert demand.mean_calls(bot, day, 1) > 10 * demand.mean_calls(bot, day - timedelta(days=7), 1)
    assert demand.mean_calls(0, date(2026, 6, 1), 1) > 1.3 * demand.mean_calls(0, date(2025, 9, 1), 1)
    assert demand.mean_calls(0, date(2026, 6, 1), 3) == pytest.approx(3 * demand.mean_calls(0, date(2026, 6, 1), 1))
