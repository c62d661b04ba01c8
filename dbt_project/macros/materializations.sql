{#- Views and tables in one statement. dbt's own way (another name, two renames, a drop, questions to the catalog) guards
    against a definition that cannot be created, which replacing does as well, and costs more than all the rest of a small run. -#}
{% materialization view, adapter='duckdb' %}
    {{ return(replaced_in_one_statement('view')) }}
{% endmaterialization %}

{% materialization table, adapter='duckdb' %}
    {{ return(replaced_in_one_statement('table')) }}
{% endmaterialization %}

{% macro replaced_in_one_statement(kind) %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type=kind) -%}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is not none and existing.type != kind -%}
    {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {% call statement('main') -%}
    {%- if config.get('contract').enforced -%}{{ get_assert_columns_equivalent(sql) }}{%- endif %}
    create or replace {{ kind }} {{ target_relation }} as (
        {% if kind == 'table' and config.get('contract').enforced -%}
        select
            {% for column in model['columns'].values() -%}
            cast({{ adapter.quote(column.name) }} as {{ column.data_type }}) as {{ adapter.quote(column.name) }}{{ ', ' if not loop.last }}
            {% endfor %}
        from (
            {{ sql }}
        ) as contracted
        {%- else -%}
        {{ sql }}
        {%- endif %}
    )
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmacro %}
