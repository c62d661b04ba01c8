"""The door after raw: what was asked for has been answered, and little was rejected."""

from __future__ import annotations

from orchestration.assets.warehouse import PREPARED
from orchestration.gates.suites import Expectation, Gate

# The real sample exports reject under one row in a hundred; five in a hundred means that a format changed.
MAX_REJECT_SHARE = 0.05

_UNANSWERED = """
select f.source, f.dataset, f.account, f."window", left(f.error, 300) as error
from raw.manifest as f
where f.state = 'failed' and not exists (
    select 1 from raw.manifest as c
    where c.source = f.source and c.dataset = f.dataset and c.account = f.account and c."window" = f."window"
      and c.state = 'complete' and c.checked_at >= f.checked_at
)
order by all
"""

_MISSING = """
with asked as (
    select source, dataset, account, greatest(min("window"::date), any_value(start_date)) as first_day
    from raw.manifest, raw.run_context
    where not is_whole and regexp_full_match("window", '\\d{4}-\\d{2}-\\d{2}')
    group by all
), expected as (
    select source, dataset, account, unnest(range(first_day::timestamp, as_of_date::timestamp, interval 1 day))::date as day
    from asked, raw.run_context
)
select e.source, e.dataset, e.account, e.day
from expected as e
anti join raw.manifest as m
    on m.source = e.source and m.dataset = e.dataset and m.account = e.account
   and m."window" = strftime(e.day, '%Y-%m-%d') and m.state = 'complete'
order by all
"""

_REJECTS = """
select source, dataset, sum(rejects) as rejects, sum("rows") as accepted,
       sum(rejects) / nullif(sum("rows") + sum(rejects), 0) as share
from raw.manifest
where is_current
group by all
having sum(rejects) > 0
order by share desc
"""

_LOST_FILES = """
select source, dataset, "window", delivery_id
from raw.manifest
where is_current and "rows" > 0 and path is null
order by all
"""

GATE = Gate(
    name="raw",
    asset=PREPARED,
    profile=f"""
    select (select count(*) from ({_UNANSWERED})) as windows_without_answer,
           (select count(*) from ({_MISSING})) as missing_windows,
           (select coalesce(max(share), 0) from ({_REJECTS})) as reject_share,
           (select count(*) from ({_LOST_FILES})) as deliveries_without_file,
           (select count(*) from raw.manifest where is_current) as deliveries
    """,
    expectations=(
        Expectation(
            "windows_without_answer",
            "Every window asked for was answered",
            "Run again when the source answers; `make doctor` says whether it does.",
            maximum=0,
            evidence=_UNANSWERED,
        ),
        Expectation(
            "missing_windows",
            "No day between the first one landed and the last complete day is missing",
            "Materialise the missing partitions of the raw asset.",
            maximum=0,
            evidence=_MISSING,
        ),
        Expectation(
            "reject_share",
            "Few records of a dataset were rejected",
            "Read raw.rejects: the vendor's format may have changed.",
            maximum=MAX_REJECT_SHARE,
            evidence=_REJECTS,
        ),
        Expectation(
            "deliveries_without_file",
            "Every delivery with rows has its file",
            "Materialise the windows named again.",
            maximum=0,
            evidence=_LOST_FILES,
        ),
        Expectation(
            "deliveries",
            "Something was delivered",
            "Configure a source (`make doctor` lists them) and materialise its raw assets.",
            minimum=1,
        ),
    ),
)
