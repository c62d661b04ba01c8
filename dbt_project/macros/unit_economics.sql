{#- Units that the warehouse counts itself; every other unit is an event of the outcome counts, by workflow. -#}
{% macro own_units() -%}
{{ return(['pull_request_merged', 'ticket_closed', 'deployment', 'developer_sprint', 'active_user', 'ai_assisted_feature', 'customer',
    'session', 'user_action', 'request', 'million_tokens', 'gpu_hour']) }}
{%- endmacro %}

{#- Scopes in which a unit is pooled: scope type to (column of int_unit_fact, units); outcome units only by workflow. -#}
{% macro unit_scopes() -%}
{{ return({
    'total': (none, own_units()),
    'team': ('team', ['pull_request_merged', 'ticket_closed', 'deployment', 'developer_sprint', 'active_user', 'ai_assisted_feature',
        'million_tokens', 'gpu_hour']),
    'workflow': ('workflow', ['customer', 'session', 'user_action', 'request', 'million_tokens', 'gpu_hour']),
    'customer': ('customer_id', ['customer']),
    'model': ('model_id', ['request', 'million_tokens']),
}) }}
{%- endmacro %}

{#- The part of a cost change that comes from the quantity: the quantity's change at the average of both unit costs (Shapley
    value of two factors). The rest is the unit cost's part, so both add to the change exactly. Null beyond 1e11 a unit. -#}
{% macro volume_effect(quantity, unit_cost, previous_quantity, previous_unit_cost) -%}
case when abs({{ unit_cost }}) < 100000000000 and abs({{ previous_unit_cost }}) < 100000000000 then
{{ decimal_product(
    'cast(' ~ quantity ~ ' - ' ~ previous_quantity ~ ' as decimal(28, 12))',
    'cast((' ~ unit_cost ~ ' + ' ~ previous_unit_cost ~ ') * cast(0.5 as decimal(1, 1)) as decimal(28, 16))') }}
end
{%- endmacro %}

{#- Days whose logged usage is counted again: those of request logs in scope, and the day after each. -#}
{% macro logged_usage_scope() -%}
(
    select charge_date from {{ source('raw', 'scope') }} where source in ({{ request_sources() }})
    union
    select cast(charge_date + interval '1' day as date) as charge_date from {{ source('raw', 'scope') }} where source in ({{ request_sources() }})
)
{%- endmacro %}
