{#- The shapes in which a vendor's staging models hand over, so that a new vendor needs no model after staging. Each macro
    takes {column: expression}, fills what is left out with its default and types every column. -#}

{#- One charge as its vendor reports it; models named stg_<source>__<name>_charges and listed in var charge_models.
    Required: account, delivery_id, charge_key, charge_start, billed_cost, currency, service_name, provider_name.
    charge_key: the vendor's own identity of the line within its account, equal when the line is delivered again.
    cost_basis: billed, or estimated for value that nobody invoices (included use, own provider keys, notional costs).
    billed_cost + billed_cost_remainder: the delivered amount to the digit (macros billed_amount, billed_remainder).
    list_cost, effective_cost: null means equal to billed_cost. quantity in `unit`; a token meter's unit is Tokens.
    price_provider: the provider's name in the price catalogue; gives token meters their list price. -#}
{% macro vendor_charge_columns() -%}
{{ return([
    ('account', 'string', none), ('delivery_id', 'string', none), ('charge_key', 'string', none),
    ('cost_basis', 'string', "'billed'"), ('charge_start', 'timestamp', none), ('charge_end', 'timestamp', none),
    ('billing_period_start', 'timestamp', none), ('billing_period_end', 'timestamp', none),
    ('billed_cost', 'decimal(38,14)', none), ('billed_cost_remainder', 'decimal(38,24)', '0'),
    ('list_cost', 'decimal(38,14)', none), ('effective_cost', 'decimal(38,14)', none), ('currency', 'string', none),
    ('charge_category', 'string', "'Usage'"), ('charge_class', 'string', none),
    ('charge_frequency', 'string', "'Usage-Based'"), ('description', 'string', none),
    ('service_name', 'string', none), ('service_category', 'string', "'AI and Machine Learning'"),
    ('service_subcategory', 'string', "'Generative AI'"), ('provider_name', 'string', none),
    ('host_provider_name', 'string', none), ('invoice_issuer_name', 'string', none),
    ('billing_account_id', 'string', none), ('billing_account_name', 'string', none), ('invoice_id', 'string', none),
    ('sub_account_id', 'string', none), ('sub_account_name', 'string', none), ('sub_account_type', 'string', none),
    ('resource_id', 'string', none), ('resource_name', 'string', none), ('resource_type', 'string', none),
    ('region_id', 'string', none), ('sku_id', 'string', none), ('sku_meter', 'string', none),
    ('quantity', 'decimal(28,12)', none), ('unit', 'string', none),
    ('list_unit_price', 'decimal(28,16)', none), ('contracted_unit_price', 'decimal(28,16)', none),
    ('model_name', 'string', none), ('price_provider', 'string', none), ('token_meter', 'string', none),
    ('service_tier', 'string', none), ('context_window', 'string', none), ('credential_id', 'string', none),
    ('principal_id', 'string', none), ('workspace_id', 'string', none), ('tags', 'string', none),
    ('native_columns', 'string', none), ('spend_source', 'string', none)
]) }}
{%- endmacro %}

{% macro vendor_charge(values) -%}
{%- set defaults = {
    'charge_end': 'cast(' ~ values['charge_start'] ~ " as timestamp) + interval '1' day",
    'billing_period_start': "date_trunc('month', cast(" ~ values['charge_start'] ~ ' as timestamp))',
    'billing_period_end': "date_trunc('month', cast(" ~ values['charge_start'] ~ " as timestamp)) + interval '1' month",
    'host_provider_name': values['provider_name'], 'invoice_issuer_name': values['provider_name'],
    'billing_account_id': values['account'],
} -%}
{{ contract_row(vendor_charge_columns(), values, defaults, 'vendor charge') }},
        cast({{ values['charge_start'] }} as date) as charge_date
{%- endmacro %}

{#- Tokens a vendor reports apart from its money, one row per meter; models listed in var usage_models. The focus gate holds
    their value at list price against the source's billed model charges of the day.
    Required: account, charge_date, price_provider, model_name, token_meter (input, cache_read, cache_write_5m,
    cache_write_1h, output; disjoint), tokens. -#}
{% macro vendor_usage_columns() -%}
{{ return([
    ('account', 'string', none), ('charge_date', 'date', none), ('price_provider', 'string', none),
    ('model_name', 'string', none), ('token_meter', 'string', none), ('service_tier', 'string', "'standard'"),
    ('context_from_tokens', 'bigint', '0'), ('tokens', 'bigint', none)
]) }}
{%- endmacro %}

{% macro vendor_usage(values) -%}
{{ contract_row(vendor_usage_columns(), values, {}, 'vendor usage') }}
{%- endmacro %}

{#- One model request of a gateway or log, without its texts; models listed in var request_models.
    Required: account, delivery_id, ordinal, request_id, started_at, charge_date. Token classes are disjoint and cover all
    tokens: tokens_output includes reasoning, tokens_output_reasoning is the part of it that was. vendor_total_tokens: the
    sum as the vendor states it, where it does; a test holds the classes against it. provider_response_id: the id that the
    model's provider gave the answer; the same answer seen by two sources is one request. response_alias: another id it is known
    by, as the one a gateway gave its caller or the provider's id of the request. status: success or failure. -#}
{% macro model_request_columns() -%}
{{ return([
    ('account', 'string', none), ('delivery_id', 'string', none), ('ordinal', 'bigint', none),
    ('request_id', 'string', none), ('provider_response_id', 'string', none), ('response_alias', 'string', none),
    ('started_at', 'timestamp', none), ('ended_at', 'timestamp', none), ('first_token_at', 'timestamp', none),
    ('status', 'string', "'success'"), ('provider_name', 'string', none), ('model_name', 'string', none),
    ('deployment_id', 'string', none), ('key_hash', 'string', none), ('user_id', 'string', none),
    ('user_email', 'string', none), ('team_id', 'string', none), ('end_user', 'string', none),
    ('session_id', 'string', none), ('is_gateway_cache_hit', 'boolean', 'false'),
    ('tokens_input_uncached', 'bigint', '0'), ('tokens_cache_read', 'bigint', '0'), ('tokens_cache_write_5m', 'bigint', '0'),
    ('tokens_cache_write_1h', 'bigint', '0'), ('tokens_cache_write_unspecified', 'bigint', '0'),
    ('tokens_output', 'bigint', '0'), ('tokens_output_reasoning', 'bigint', none), ('vendor_total_tokens', 'bigint', none),
    ('cost_usd', 'decimal(38,24)', none), ('tag_ticket', 'string', none), ('tag_workflow', 'string', none),
    ('tag_feature', 'string', none), ('tag_customer', 'string', none), ('tag_environment', 'string', none),
    ('tag_task_type', 'string', none), ('user_action_id', 'string', none), ('repo', 'string', none),
    ('branch', 'string', none), ('attempt', 'bigint', none), ('agent_step', 'bigint', none),
    ('system_prompt_tokens', 'bigint', none), ('retrieval_tokens', 'bigint', none), ('history_tokens', 'bigint', none),
    ('tool_schema_tokens', 'bigint', none), ('charge_date', 'date', none)
]) }}
{%- endmacro %}

{% macro model_request(values) -%}
{{ contract_row(model_request_columns(), values, {}, 'model request') }}
{%- endmacro %}

{#- Sources whose staging hands over requests, as a list of SQL texts. -#}
{% macro request_sources() -%}
{%- set found = ["'none'"] -%}
{%- for model in models_on('request_models') -%}
{%- set source = "'" ~ model[4:].split('__')[0] ~ "'" -%}
{%- if source not in found -%}{%- do found.append(source) -%}{%- endif -%}
{%- endfor -%}
{{ return(found[1:] | join(', ') if found | length > 1 else found[0]) }}
{%- endmacro %}

{#- Select list of a contract: values, else defaults given here, else the column's own default. -#}
{% macro contract_row(columns, values, defaults, contract) -%}
{%- set names = columns | map('first') | list -%}
{%- for name in values if name not in names -%}
{{ exceptions.raise_compiler_error(name ~ ' is not a column of a ' ~ contract) }}
{%- endfor -%}
{%- for name, sql_type, default in columns -%}
{%- set expression = values[name] if name in values else defaults[name] if name in defaults else (default or 'null') %}
        cast({{ expression }} as {{ sql_type }}) as {{ name }}{{ ',' if not loop.last }}
{%- endfor -%}
{%- endmacro %}

{#- All models of a var list (`charge_models`, `usage_models`, `request_models`) as one relation, with the source that each
    model's name says: stg_<source>__... -#}
{% macro handed_over(list_name, columns) -%}
{%- set names = columns | map('first') | list -%}
{%- for model in models_on(list_name) %}
    select '{{ model[4:].split('__')[0] }}' as source, {{ names | join(', ') }}
    from {{ ref(model) }}
    {{ 'union all' if not loop.last }}
{%- else %}
    select cast(null as string) as source{% for name, sql_type, default in columns %}, cast(null as {{ sql_type }}) as {{ name }}{% endfor %}
    where false
{%- endfor %}
{%- endmacro %}
