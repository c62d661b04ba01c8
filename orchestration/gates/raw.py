"""The door after raw: what was asked for has been answered, and little was rejected."""

from __future__ import annotations

from ingestion.catalog import DATASETS, Dataset
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

def _landed(dataset: Dataset) -> str:
    column = dataset.control_column
    total = f'sum(try_cast(trim("{column}") as decimal(38, 18)))' if column else "null::decimal(38, 18)"
    return (
        f"select raw_delivery_id as delivery_id, '{dataset.key}' as dataset, count(*) as landed_rows, {total} as landed_total"
        f' from raw."{dataset.key}" group by raw_delivery_id'
    )


# What the manifest says of each delivery in scope against what its file holds. A repeated record is in the vendor's
# total and not in the file. Sums agree to a millionth: some exports carry more digits than a DECIMAL.
_CHANGED_FILES = f"""
with landed as ({" union all ".join(_landed(d) for d in DATASETS)}),
repeated as (select distinct delivery_id from raw.rejects where reason = 'duplicate_identity')
select m.source, m.dataset, m."window", m.delivery_id, m."rows" as manifest_rows, coalesce(l.landed_rows, 0) as file_rows,
       m.control_total as manifest_total, l.landed_total as file_total
from raw.manifest as m
left join raw.delivery_in_scope as s on s.source = m.source and s.dataset = m.dataset and s.delivery_id = m.delivery_id
left join landed as l on l.dataset = m.source || '__' || m.dataset and l.delivery_id = m.delivery_id
left join repeated as r on r.delivery_id = m.delivery_id
where m.is_current and m."rows" > 0 and (
    m.path is null
    or (s.delivery_id is not null and coalesce(l.landed_rows, 0) <> m."rows")
    or (s.delivery_id is not null and r.delivery_id is null and l.landed_total is not null
        and abs(l.landed_total - try_cast(m.control_total as decimal(38, 18))) > 0.000001)
)
order by all
"""

GATE = Gate(
    name="raw",
    asset=PREPARED,
    profile=f"""
    select (select count(*) from ({_UNANSWERED})) as windows_without_answer,
           (select count(*) from ({_MISSING})) as missing_windows,
           (select coalesce(max(share), 0) from ({_REJECTS})) as reject_share,
           (select count(*) from ({_CHANGED_FILES})) as deliveries_not_as_landed,
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
            "deliveries_not_as_landed",
            "Every delivery's file holds the rows and the control total that were landed",
            "Restore the files named from the lake's backup, or remove their manifest lines and materialise the windows.",
            maximum=0,
            evidence=_CHANGED_FILES,
        ),
        Expectation(
            "deliveries",
            "Something was delivered",
            "Configure a source (`make doctor` lists them) and materialise its raw assets.",
            minimum=1,
        ),
    ),
)
