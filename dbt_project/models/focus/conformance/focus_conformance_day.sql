{{ config(
    materialized='table' if target.type == 'spark' else 'incremental',
    incremental_strategy=incremental_strategy(),
    on_schema_change='fail',
    pre_hook=[
        "{{ delete_scope(ref('int_focus_scope'), {'x_SourceId': 'source', 'x_Account': 'account', 'charge_date': 'charge_date'}) }}",
        "{% if is_incremental() %}delete from {{ this }} where x_SourceId = 'invoices'{% endif %}",
    ],
) }}
{%- set rules = focus_row_rules() -%}
with charges as (
    select
        charges.*,
        {{ charge_stream('charges') }} as stream,
        charges.ServiceSubcategory is null or listed.service_subcategory is not null as is_listed_subcategory
    from {{ ref('focus_cost_and_usage') }} as charges
    left join {{ ref('focus_service_subcategories') }} as listed
        on charges.ServiceCategory = listed.service_category and charges.ServiceSubcategory = listed.service_subcategory
    {%- if is_incremental() %}
    where charges.x_SourceId = 'invoices' or exists (
        select 1
        from {{ ref('int_focus_scope') }} as scope
        where
            charges.x_SourceId = scope.source and charges.x_Account = scope.account and charges.charge_date = scope.charge_date
    )
    {%- endif %}
),

judged as (
    select
        stream,
        x_SourceId,
        x_Account,
        x_charge_id,
        charge_date,
        {%- for rule_id, applies, fails in rules %}
        coalesce({{ applies }}, false) as {{ rule_id }}_applies,
        coalesce({{ fails }}, false) as {{ rule_id }}_fails{{ ',' if not loop.last }}
        {%- endfor %}
    from charges
)

select
    stream,
    x_SourceId,
    x_Account,
    {%- for rule_id, applies, fails in rules %}
    cast(sum(case when {{ rule_id }}_applies then 1 else 0 end) as bigint) as {{ rule_id }}_checked,
    cast(sum(case when {{ rule_id }}_applies and {{ rule_id }}_fails then 1 else 0 end) as bigint) as {{ rule_id }}_failing,
    min(case when {{ rule_id }}_applies and {{ rule_id }}_fails then x_charge_id end) as {{ rule_id }}_example,
    {%- endfor %}
    charge_date
from judged
group by stream, x_SourceId, x_Account, charge_date
