-- Everything that decides a day's shares, as one digest per day. A request delivery never changes, so its id, row count and
-- token sum stand for its rows; charges are fingerprinted, since a month is delivered anew each day without changing.
with charges as (
    select
        charge_date,
        cast({{ rows_fingerprint(['x_charge_id', 'BilledCost', 'EffectiveCost', 'x_ReportingCost', 'ConsumedQuantity', 'ConsumedUnit',
            'x_SourceId', 'x_Account', 'x_ModelId', 'x_ModelFamily', 'x_TokenMeter', 'x_CredentialId', 'x_WorkspaceId', 'x_PrincipalId',
            'SubAccountId', 'Tags', 'AllocatedResourceId', 'AllocatedTags', 'ServiceName', 'ServiceCategory', 'ServiceProviderName', 'ChargeCategory', 'ChargeClass',
            'ChargeFrequency', 'InvoiceIssuerName', 'InvoiceId', 'BillingPeriodStart', 'BillingPeriodEnd', 'ChargePeriodStart',
            'ChargePeriodEnd', 'BillingCurrency', 'x_SpendSource', 'x_ResidualName']) }} as string) as digest
    from {{ ref('focus_cost_and_usage') }}
    group by charge_date
),

calls as (
    select charge_date, {{ hash_of_rows('part') }} as digest
    from (
        select
            charge_date,
            {{ row_hash(['account', 'raw_delivery_id', 'count(*)', 'sum(tokens_total)', 'count(ticket_key)', 'count(owner_workflow)']) }} as part
        from {{ ref('fct_model_call') }}
        group by charge_date, account, raw_delivery_id
    ) as deliveries
    group by charge_date
),

activity as (
    select charge_date, {{ hash_of_rows(row_hash(['person_id', 'work_item_key', 'share_ppm'])) }} as digest
    from {{ ref('fct_work_activity') }}
    group by charge_date
),

branches as (
    select used.charge_date, {{ hash_of_rows(row_hash(['used.repo', 'used.branch', 'ties.work_item_key', 'ties.share_ppm'])) }} as digest
    from (select distinct charge_date, repo, branch from {{ ref('fct_model_call') }} where branch is not null) as used
    inner join {{ ref('dim_branch') }} as ties
        on ties.branch = used.branch and ties.repo is not distinct from used.repo
    group by used.charge_date
),

principals as (
    select used.charge_date, {{ hash_of_rows(row_hash(['used.x_PrincipalId', 'known.system', 'known.person_id'])) }} as digest
    from (
        select distinct charge_date, x_PrincipalId from {{ ref('focus_cost_and_usage') }} where x_PrincipalId is not null
    ) as used
    inner join {{ ref('dim_identity') }} as known
        on known.external_id = used.x_PrincipalId
        and used.charge_date >= known.valid_from
        and used.charge_date < known.valid_to
    group by used.charge_date
),

-- What the days beside it lend a day: sessions that go on across midnight.
carried as (
    select charge_date, {{ hash_of_rows(row_hash(['account', 'session_id', 'ticket_key'])) }} as digest
    from {{ ref('int_session_carry') }}
    group by charge_date
),

seats as (
    select charge_date, {{ hash_of_rows(row_hash(['x_charge_id', 'team', 'seat_days'])) }} as digest
    from {{ ref('int_seat_share') }}
    group by charge_date
),

company as (
    select {{ hash_of_rows('part') }} as digest
    from (
        select {{ row_hash(['source', 'object_type', 'external_id', 'team', 'workflow', 'person_id', 'environment',
            'is_gateway', 'is_disputed', 'valid_from', 'valid_to']) }} as part from {{ ref('dim_owner') }}
        union all
        select {{ row_hash(['team', 'cost_center', 'valid_from', 'valid_to']) }} as part from {{ ref('dim_team') }}
        union all
        select {{ row_hash(['workflow', 'team', 'valid_from', 'valid_to']) }} as part from {{ ref('dim_workflow') }}
        union all
        select {{ row_hash(['person_id', 'team', 'valid_from', 'valid_to']) }} as part from {{ ref('dim_person') }}
        union all
        select {{ row_hash(['metric', 'team', 'value', 'valid_from', 'valid_to']) }} as part from {{ ref('allocation_metrics') }}
        union all
        select {{ row_hash(['rule_id', 'priority', 'source', 'service_name', 'sub_account_id', 'charge_category', 'method',
            'basis', 'target_team', 'weight', 'valid_from', 'valid_to']) }} as part from {{ ref('int_allocation_rule') }}
    ) as facts
),

days as (
    select charge_date from charges
    union
    select charge_date from calls
)

select
    cast({{ row_hash(['charges.digest', 'calls.digest', 'activity.digest', 'branches.digest', 'principals.digest', 'carried.digest', 'seats.digest',
        'company.digest']) }} as string)
        as input_digest,
    days.charge_date
from days
cross join company
left join charges on charges.charge_date = days.charge_date
left join calls on calls.charge_date = days.charge_date
left join activity on activity.charge_date = days.charge_date
left join branches on branches.charge_date = days.charge_date
left join principals on principals.charge_date = days.charge_date
left join carried on carried.charge_date = days.charge_date
left join seats on seats.charge_date = days.charge_date
