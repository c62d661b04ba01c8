{#- Incremental by charge day: what is rebuilt is deleted first, also when nothing replaces it, then appended. One
    transaction on DuckDB; on Spark the partitions are overwritten, so the partition column is the last one. -#}

{#- The incremental strategy of the engine. -#}
{% macro incremental_strategy() -%}
{{ return('insert_overwrite' if target.type == 'spark' else 'append') }}
{%- endmacro %}

{#- Pre-hook: deletes from this model the rows that match `scope_relation` on `match` (model column: scope column).
    Nothing on the first build and on Spark. `match` values compare null-safe. -#}
{% macro delete_scope(scope_relation, match) -%}
{%- if is_incremental() and target.type != 'spark' -%}
delete from {{ this }}
where exists (
    select 1
    from {{ scope_relation }} as scope
    where {% for model_column, scope_column in match.items() %}{{ this }}.{{ model_column }} is not distinct from scope.{{ scope_column }}{{ ' and ' if not loop.last }}{% endfor %}
)
{%- endif -%}
{%- endmacro %}
