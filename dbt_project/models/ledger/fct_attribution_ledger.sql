{{ config(
    materialized='incremental',
    incremental_strategy=incremental_strategy(),
    partition_by=(['charge_date'] if target.type == 'spark' else none),
    on_schema_change='fail',
    pre_hook="{{ delete_scope(ref('int_ledger_scope'), {'charge_date': 'charge_date'}) }}",
) }}
{%- set target_columns = ['fidelity_tier', 'allocation_method', 'workflow', 'feature', 'team', 'customer_id', 'person_id',
    'work_item_key', 'environment', 'rule_id', 'residual_name'] %}
-- A charge goes one way: shared among the gateway's requests of its pool, else to the engineer or team that owns it,
-- else by a dated rule, else to a named rest. Every way ends in one largest-remainder split, so nothing is lost.
with charges as (
    select
        charges.*,
        coalesce(charges.x_CredentialId, workspaces.workspace_id, '') as pool_key,
        workspaces.workspace_id is not null as is_gateway_workspace
    from {{ ref('focus_cost_and_usage') }} as charges
    inner join {{ ref('int_ledger_scope') }} as scope on scope.charge_date = charges.charge_date
    left join {{ ref('int_gateway_workspace') }} as workspaces
        on {{ is_gateway_workspace('charges', 'workspaces') }}
),

metered as (
    select
        x_charge_id, charge_date, x_SourceId, x_Account, x_ModelId, x_TokenMeter, pool_key,
        case when ConsumedUnit = 'Tokens' then coalesce(ConsumedQuantity, 0) else 0 end as tokens,
        row_number() over (
            partition by charge_date, x_SourceId, x_Account, x_ModelId, x_TokenMeter, pool_key order by x_charge_id
        ) as ordinal_in_pool
    from charges
    where x_TokenMeter is not null and x_ModelId is not null
),

-- Pool: one account's bill for one day, model, token meter and key, or workspace where the bill names no key.
pools as (
    select
        charge_date, x_SourceId, x_Account, x_ModelId, x_TokenMeter, pool_key,
        cast(floor(greatest(sum(tokens), 0)) * 1000000 as bigint) as billed_weight
    from metered
    group by charge_date, x_SourceId, x_Account, x_ModelId, x_TokenMeter, pool_key
),

billed_meters as (
    select
        charge_date, x_SourceId, x_Account, x_ModelId, pool_key,
        max(case when x_TokenMeter = 'input' then 1 else 0 end) as has_input,
        max(case when x_TokenMeter = 'embedding' then 1 else 0 end) as has_embedding,
        max(case when x_TokenMeter = 'cache_write' then 1 else 0 end) as has_cache_write,
        max(case when x_TokenMeter = 'cache_write_5m' then 1 else 0 end) as has_cache_write_5m,
        max(case when x_TokenMeter = 'cache_write_1h' then 1 else 0 end) as has_cache_write_1h
    from pools
    group by charge_date, x_SourceId, x_Account, x_ModelId, pool_key
),

-- Bill and gateway may name cache writes and embeddings differently; the bill's meters decide.
seen as (
    select
        groups.*,
        case
            when groups.token_meter = 'input' and billed.has_input = 0 and billed.has_embedding = 1 then 'embedding'
            when groups.token_meter = 'cache_write_5m' and billed.has_cache_write_5m = 0 and billed.has_cache_write = 1 then 'cache_write'
            when groups.token_meter = 'cache_write_1h' and billed.has_cache_write_1h = 0 and billed.has_cache_write = 1 then 'cache_write'
            when groups.token_meter = 'cache_write' and billed.has_cache_write = 0 and billed.has_cache_write_5m = 1 then 'cache_write_5m'
            else groups.token_meter
        end as billed_meter
    from {{ ref('int_call_pool_day') }} as groups
    inner join billed_meters as billed
        on billed.charge_date = groups.charge_date
        and billed.x_SourceId = groups.provider_source
        and billed.x_Account = groups.provider_account
        and billed.x_ModelId = groups.model_id
        and billed.pool_key = groups.pool_key
),

pool_targets as (
    select
        charge_date, provider_source, provider_account, model_id, billed_meter, pool_key,
        fidelity_tier, allocation_method, workflow, feature, team, customer_id, person_id, work_item_key, environment,
        cast(sum(weight) as bigint) as weight,
        cast(sum(calls) as bigint) as calls
    from seen
    group by
        charge_date, provider_source, provider_account, model_id, billed_meter, pool_key,
        fidelity_tier, allocation_method, workflow, feature, team, customer_id, person_id, work_item_key, environment
),

pool_sums as (
    select
        pools.charge_date, pools.x_SourceId, pools.x_Account, pools.x_ModelId, pools.x_TokenMeter, pools.pool_key,
        pools.billed_weight,
        cast(sum(targets.weight) as bigint) as seen_weight
    from pools
    inner join pool_targets as targets
        on targets.charge_date = pools.charge_date
        and targets.provider_source = pools.x_SourceId
        and targets.provider_account = pools.x_Account
        and targets.model_id = pools.x_ModelId
        and targets.billed_meter = pools.x_TokenMeter
        and targets.pool_key = pools.pool_key
    group by
        pools.charge_date, pools.x_SourceId, pools.x_Account, pools.x_ModelId, pools.x_TokenMeter, pools.pool_key,
        pools.billed_weight
),

pooled_charges as (
    select metered.*, sums.billed_weight, sums.seen_weight
    from metered
    inner join pool_sums as sums
        on sums.charge_date = metered.charge_date
        and sums.x_SourceId = metered.x_SourceId
        and sums.x_Account = metered.x_Account
        and sums.x_ModelId = metered.x_ModelId
        and sums.x_TokenMeter = metered.x_TokenMeter
        and sums.pool_key = metered.pool_key
),

owners as (
    select * from {{ ref('int_charge_owner') }}
),

people as (
    select * from {{ ref('dim_person') }}
),

-- Way 1a: requests of the pool, by their tokens. Requests without any evidence fall to the key's owner.
request_shares as (
    select
        pooled.x_charge_id,
        coalesce(targets.fidelity_tier, case when owners.team is not null then 'team' else 'unattributed' end) as fidelity_tier,
        case
            when targets.fidelity_tier is not null then targets.allocation_method
            else coalesce(owners.owner_method, 'none')
        end as allocation_method,
        coalesce(targets.workflow, case when targets.fidelity_tier is null then owners.workflow end) as workflow,
        targets.feature,
        coalesce(targets.team, owners.team) as team,
        targets.customer_id,
        targets.person_id,
        targets.work_item_key,
        coalesce(targets.environment, owners.environment) as environment,
        cast(null as string) as rule_id,
        case when targets.fidelity_tier is null and owners.team is null then 'no_stamp' end as residual_name,
        targets.weight,
        case when pooled.ordinal_in_pool = 1 then targets.calls else 0 end as calls
    from pooled_charges as pooled
    inner join pool_targets as targets
        on targets.charge_date = pooled.charge_date
        and targets.provider_source = pooled.x_SourceId
        and targets.provider_account = pooled.x_Account
        and targets.model_id = pooled.x_ModelId
        and targets.billed_meter = pooled.x_TokenMeter
        and targets.pool_key = pooled.pool_key
    inner join owners on owners.x_charge_id = pooled.x_charge_id
),

-- Way 1b: billed tokens that no request accounts for.
unseen_shares as (
    select
        pooled.x_charge_id,
        case when owners.team is not null then 'team' else 'unattributed' end as fidelity_tier,
        coalesce(owners.owner_method, 'none') as allocation_method,
        owners.workflow,
        cast(null as string) as feature,
        owners.team,
        cast(null as string) as customer_id,
        cast(null as string) as person_id,
        cast(null as string) as work_item_key,
        owners.environment,
        cast(null as string) as rule_id,
        'not_seen_by_gateway' as residual_name,
        pooled.billed_weight - pooled.seen_weight as weight,
        cast(0 as bigint) as calls
    from pooled_charges as pooled
    inner join owners on owners.x_charge_id = pooled.x_charge_id
    where pooled.billed_weight > pooled.seen_weight
),

unpooled as (
    select
        charges.x_charge_id, charges.charge_date, charges.x_SourceId, charges.ServiceName, charges.SubAccountId,
        charges.ChargeCategory, charges.x_ResidualName,
        (owners.is_gateway or charges.is_gateway_workspace) and charges.x_TokenMeter is not null as is_unseen,
        case when not owners.is_gateway then owners.person_id end as person_id,
        coalesce(owners.team, people.team) as team,
        owners.workflow, owners.environment, owners.owner_method, owners.is_disputed
    from charges
    inner join owners on owners.x_charge_id = charges.x_charge_id
    left join pooled_charges on pooled_charges.x_charge_id = charges.x_charge_id
    left join people
        on people.person_id = owners.person_id
        and not owners.is_gateway
        and charges.charge_date >= people.valid_from
        and charges.charge_date < people.valid_to
    where pooled_charges.x_charge_id is null
),

-- Way 2: the engineer is known; split over what they worked on that day, whole to the engineer when nothing is known.
person_shares as (
    select
        unpooled.x_charge_id,
        'person' as fidelity_tier,
        case when activity.work_item_key is not null then 'person_activity' else 'person_known' end as allocation_method,
        unpooled.workflow,
        cast(null as string) as feature,
        unpooled.team,
        cast(null as string) as customer_id,
        unpooled.person_id,
        activity.work_item_key,
        unpooled.environment,
        cast(null as string) as rule_id,
        unpooled.x_ResidualName as residual_name,
        coalesce(activity.share_ppm, 1000000) as weight,
        cast(0 as bigint) as calls
    from unpooled
    left join {{ ref('fct_work_activity') }} as activity
        on activity.person_id = unpooled.person_id and activity.charge_date = unpooled.charge_date
    where unpooled.person_id is not null
),

-- Way 3: a team owns the key, workspace, project, tag or account.
team_shares as (
    select
        x_charge_id,
        'team' as fidelity_tier,
        owner_method as allocation_method,
        workflow,
        cast(null as string) as feature,
        team,
        cast(null as string) as customer_id,
        cast(null as string) as person_id,
        cast(null as string) as work_item_key,
        environment,
        cast(null as string) as rule_id,
        case when is_unseen then 'not_seen_by_gateway' else x_ResidualName end as residual_name,
        cast(1 as bigint) as weight,
        cast(0 as bigint) as calls
    from unpooled
    where person_id is null and owner_method is not null
),

-- Way 3b: a seat line of an invoice, by the days each team's people held the seats.
seat_shares as (
    select
        unpooled.x_charge_id,
        case when seats.team is not null then 'team' else 'unattributed' end as fidelity_tier,
        case when seats.team is not null then 'seat_inventory' else 'none' end as allocation_method,
        unpooled.workflow,
        cast(null as string) as feature,
        seats.team,
        cast(null as string) as customer_id,
        cast(null as string) as person_id,
        cast(null as string) as work_item_key,
        unpooled.environment,
        cast(null as string) as rule_id,
        case when seats.team is null then 'seat_holder_unknown' else unpooled.x_ResidualName end as residual_name,
        seats.seat_days as weight,
        cast(0 as bigint) as calls
    from unpooled
    inner join {{ ref('int_seat_share') }} as seats on seats.x_charge_id = unpooled.x_charge_id
    where unpooled.person_id is null and unpooled.owner_method is null
),

direct_shares as (
    select * from request_shares
    union all
    select * from unseen_shares
    union all
    select * from person_shares
    union all
    select * from team_shares
    union all
    select * from seat_shares
),

-- What each team spent directly on the day, in whole millionths: the stable basis of `proportional` rules.
team_spend as (
    select charge_date, team, cast(sum(spend) as bigint) as spend
    from (
        select
            charges.charge_date,
            shares.team,
            {{ integer_quotient(
                'cast(floor(greatest(charges.x_ReportingCost, 0) * 1000000) as ' ~ wide_integer_type() ~ ') * cast(shares.weight as ' ~ wide_integer_type() ~ ')',
                'cast(totals.weight as ' ~ wide_integer_type() ~ ')') }} as spend
        from direct_shares as shares
        inner join (
            select x_charge_id, sum(weight) as weight from direct_shares group by x_charge_id having sum(weight) > 0
        ) as totals on totals.x_charge_id = shares.x_charge_id
        inner join charges on charges.x_charge_id = shares.x_charge_id
        where shares.team is not null and charges.ChargeCategory = 'Usage'
    ) as spends
    group by charge_date, team
),

ruled as (
    select unpooled.*, rules.rule_id, rules.method, rules.basis
    from unpooled
    inner join (
        select distinct
            rule_id, priority, source, service_name, sub_account_id, charge_category, method, basis, valid_from, valid_to
        from {{ ref('int_allocation_rule') }}
    ) as rules
        on (rules.source is null or rules.source = unpooled.x_SourceId)
        and (rules.service_name is null or rules.service_name = unpooled.ServiceName)
        and (rules.sub_account_id is null or rules.sub_account_id = unpooled.SubAccountId)
        and (rules.charge_category is null or rules.charge_category = unpooled.ChargeCategory)
        and unpooled.charge_date >= rules.valid_from
        and unpooled.charge_date < rules.valid_to
    left join (select distinct x_charge_id from seat_shares) as seated on seated.x_charge_id = unpooled.x_charge_id
    where unpooled.person_id is null and unpooled.owner_method is null and seated.x_charge_id is null
    qualify row_number() over (partition by unpooled.x_charge_id order by rules.priority, rules.rule_id) = 1
),

-- The teams a rule names on the day, or all teams of that day when it names none.
rule_targets as (
    select days.charge_date, rules.rule_id, rules.target_team as team, rules.weight
    from (select distinct charge_date, rule_id from ruled) as days
    inner join {{ ref('int_allocation_rule') }} as rules
        on rules.rule_id = days.rule_id
        and rules.target_team is not null
        and days.charge_date >= rules.valid_from
        and days.charge_date < rules.valid_to
    union all
    select days.charge_date, days.rule_id, teams.team, cast(null as decimal(28, 12)) as weight
    from (
        select distinct ruled.charge_date, ruled.rule_id
        from ruled
        inner join {{ ref('int_allocation_rule') }} as rules
            on rules.rule_id = ruled.rule_id
            and rules.target_team is null
            and ruled.charge_date >= rules.valid_from
            and ruled.charge_date < rules.valid_to
    ) as days
    inner join {{ ref('dim_team') }} as teams
        on days.charge_date >= teams.valid_from and days.charge_date < teams.valid_to
),

metrics as (
    select
        metric, team, value,
        coalesce(cast(valid_from as date), cast('1900-01-01' as date)) as valid_from,
        coalesce(cast(valid_to as date), cast('9999-12-31' as date)) as valid_to
    from {{ ref('allocation_metrics') }}
),

rule_weights as (
    select
        ruled.x_charge_id,
        ruled.method,
        ruled.workflow,
        targets.team,
        ruled.environment,
        ruled.rule_id,
        ruled.x_ResidualName,
        case ruled.method
            when 'fixed' then cast(targets.weight * 1000000 as bigint)
            when 'proportional' then coalesce(team_spend.spend, 0)
            when 'metric' then coalesce(cast(floor(greatest(metrics.value, 0) * 1000000) as bigint), 0)
            else cast(1 as bigint)
        end as weight
    from ruled
    inner join rule_targets as targets on targets.rule_id = ruled.rule_id and targets.charge_date = ruled.charge_date
    left join team_spend on team_spend.team = targets.team and team_spend.charge_date = ruled.charge_date
    left join metrics
        on metrics.metric = ruled.basis
        and metrics.team = targets.team
        and ruled.method = 'metric'
        and ruled.charge_date >= metrics.valid_from
        and ruled.charge_date < metrics.valid_to
),

-- Way 4: a dated rule. Without any weight on the day (no direct spend, no metric) it splits evenly, and says so.
policy_shares as (
    select
        x_charge_id,
        'policy' as fidelity_tier,
        case when sum(weight) over (partition by x_charge_id) = 0 then 'even' else method end as allocation_method,
        workflow,
        cast(null as string) as feature,
        team,
        cast(null as string) as customer_id,
        cast(null as string) as person_id,
        cast(null as string) as work_item_key,
        environment,
        rule_id,
        x_ResidualName as residual_name,
        weight,
        cast(0 as bigint) as calls
    from rule_weights
),

shared as (
    select * from direct_shares
    union all
    select * from policy_shares
),

-- Way 5: whatever is left keeps its whole cost under a name.
left_over as (
    select
        unpooled.x_charge_id,
        'unattributed' as fidelity_tier,
        'none' as allocation_method,
        unpooled.workflow,
        cast(null as string) as feature,
        cast(null as string) as team,
        cast(null as string) as customer_id,
        cast(null as string) as person_id,
        cast(null as string) as work_item_key,
        unpooled.environment,
        cast(null as string) as rule_id,
        case
            when unpooled.is_unseen then 'not_seen_by_gateway'
            else coalesce(unpooled.x_ResidualName, case when unpooled.is_disputed then 'disputed_owner' else 'no_owner' end)
        end as residual_name,
        cast(1 as bigint) as weight,
        cast(0 as bigint) as calls
    from unpooled
    left join (select distinct x_charge_id from shared) as placed on placed.x_charge_id = unpooled.x_charge_id
    where placed.x_charge_id is null
),

targets as (
    select
        x_charge_id,
        {{ target_columns | join(', ') }},
        {{ row_hash(target_columns) }} as target_key,
        cast(sum(weight) as bigint) as weight,
        cast(sum(calls) as bigint) as calls
    from (select * from shared union all select * from left_over) as every_share
    group by x_charge_id, {{ target_columns | join(', ') }}
),

-- Only numbers go through the split's sorts; the wide columns are joined back by them.
numbered as (
    select
        x_charge_id,
        row_number() over (order by x_charge_id) as charge_number,
        {{ signed_units('BilledCost') }} as billed_units,
        {{ signed_units('EffectiveCost') }} as effective_units,
        {{ signed_units('x_ReportingCost') }} as reporting_units,
        {{ signed_units('tokens') }} as token_units
    from (
        select
            x_charge_id, BilledCost, EffectiveCost, x_ReportingCost,
            cast(case when ConsumedUnit = 'Tokens' and x_TokenMeter is not null then ConsumedQuantity end as decimal(38, 14)) as tokens
        from charges
    ) as amounts
),

ordered as (
    select
        targets.*,
        numbered.charge_number, numbered.billed_units, numbered.effective_units, numbered.reporting_units, numbered.token_units,
        row_number() over (partition by numbered.charge_number order by targets.target_key) as target_ordinal
    from targets
    inner join numbered on numbered.x_charge_id = targets.x_charge_id
),

divided as (
    {{ largest_remainder(
        relation='ordered',
        partition_by=['charge_number'],
        order_by=['target_ordinal'],
        weight='weight',
        columns=['charge_number'],
        amounts={
            'billed_units': 'share_billed_cost',
            'effective_units': 'share_effective_cost',
            'reporting_units': 'share_reporting_cost',
            'token_units': 'share_tokens',
        },
        share='share',
        amounts_in_units=true) }}
),

split as (
    select
        ordered.x_charge_id, ordered.target_key, ordered.calls,
        {% for column in target_columns %}ordered.{{ column }}, {% endfor %}
        divided.share_ordinal, divided.share, divided.share_billed_cost, divided.share_effective_cost,
        divided.share_reporting_cost, divided.share_tokens
    from ordered
    inner join divided on divided.charge_number = ordered.charge_number and divided.share_ordinal = ordered.target_ordinal
)

select
    cast({{ row_hash(['split.x_charge_id', 'split.target_key']) }} as string) as ledger_id,
    cast(charges.x_charge_id as string) as x_charge_id,
    split.share_ordinal,
    cast(charges.x_SourceId as string) as source,
    cast(charges.x_Account as string) as account,
    charges.BillingPeriodStart,
    charges.BillingPeriodEnd,
    charges.ChargePeriodStart,
    charges.ChargePeriodEnd,
    cast(charges.ServiceProviderName as string) as ServiceProviderName,
    cast(charges.InvoiceIssuerName as string) as InvoiceIssuerName,
    cast(charges.InvoiceId as string) as InvoiceId,
    cast(charges.ServiceName as string) as ServiceName,
    cast(charges.ServiceCategory as string) as ServiceCategory,
    cast(charges.SubAccountId as string) as SubAccountId,
    cast(charges.ChargeCategory as string) as ChargeCategory,
    cast(charges.ChargeClass as string) as ChargeClass,
    cast(charges.ChargeFrequency as string) as ChargeFrequency,
    cast(charges.BillingCurrency as string) as BillingCurrency,
    cast(charges.x_ModelId as string) as model_id,
    cast(charges.x_ModelFamily as string) as model_family,
    cast(charges.x_TokenMeter as string) as token_meter,
    cast(charges.x_SpendSource as string) as spend_source,
    split.share,
    split.share_billed_cost as BilledCost,
    split.share_effective_cost as EffectiveCost,
    split.share_reporting_cost as x_ReportingCost,
    cast(split.share_tokens as decimal(28, 12)) as tokens,
    cast(split.calls as bigint) as calls,
    cast(split.workflow as string) as workflow,
    cast(split.feature as string) as feature,
    cast(split.team as string) as team,
    cast(teams.cost_center as string) as cost_center,
    cast(split.customer_id as string) as customer_id,
    cast(split.person_id as string) as user_id,
    cast(split.work_item_key as string) as work_item_key,
    cast(split.environment as string) as environment,
    cast(split.allocation_method as string) as allocation_method,
    cast(split.fidelity_tier as string) as fidelity_tier,
    cast(split.rule_id as string) as rule_id,
    cast(split.residual_name as string) as residual_name,
    charges.charge_date
from split
inner join charges on charges.x_charge_id = split.x_charge_id
left join {{ ref('dim_team') }} as teams
    on teams.team = split.team
    and charges.charge_date >= teams.valid_from
    and charges.charge_date < teams.valid_to
