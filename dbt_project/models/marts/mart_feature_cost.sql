-- R75: what a feature cost with everything that came after it. Rows without a feature are one group, so that features add
-- to the spend on work items.
select
    cast(coalesce(ledger.feature, '(no feature)') as string) as feature,
    cast(min(ledger.epic_key) as string) as epic_key,
    cast(count(distinct ledger.epic_key) as bigint) as epics,
    cast(count(distinct ledger.work_item_key) as bigint) as work_items,
    cast(count(distinct case when items.is_delivered then ledger.work_item_key end) as bigint) as delivered_items,
    cast(sum(ledger.x_ReportingCost) as decimal(38, 14)) as cost,
    cast(sum(case when coalesce(ledger.work_phase, 'build') = 'build' then ledger.x_ReportingCost else 0 end) as decimal(38, 14)) as cost_build,
    cast(sum(case when ledger.work_phase = 'review' then ledger.x_ReportingCost else 0 end) as decimal(38, 14)) as cost_review,
    cast(sum(case when ledger.work_phase = 'rework' then ledger.x_ReportingCost else 0 end) as decimal(38, 14)) as cost_rework,
    cast(sum(case when ledger.fidelity_tier = 'call' then ledger.x_ReportingCost else 0 end) as decimal(38, 14)) as cost_call,
    cast(coalesce(sum(ledger.calls), 0) as bigint) as calls,
    min(ledger.charge_date) as first_charge_date,
    max(ledger.charge_date) as last_charge_date
from {{ ref('ledger_attribution') }} as ledger
left join {{ ref('dim_work_item') }} as items on items.work_item_key = ledger.work_item_key
where ledger.feature is not null or ledger.work_item_key is not null
group by coalesce(ledger.feature, '(no feature)')
