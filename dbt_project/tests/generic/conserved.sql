{#- The sums of `columns` ({column here: column there}) by `by` ({column here: column there}) equal those of relation
    `to`, exactly and both ways: a group that only one side has fails. Keys may be null. -#}
{% test conserved(model, to, columns, by, where_clause='1 = 1', to_where_clause='1 = 1') %}
with here as (
    select
        {% for key in by %}{{ key }} as key_{{ loop.index }}, {% endfor %}
        {% for column in columns %}sum({{ column }}) as total_{{ loop.index }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ model }}
    where {{ where_clause }}
    group by {% for key in by %}{{ key }}{{ ', ' if not loop.last }}{% endfor %}
),

there as (
    select
        {% for key in by.values() %}{{ key }} as key_{{ loop.index }}, {% endfor %}
        {% for column in columns.values() %}sum({{ column }}) as total_{{ loop.index }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ to }}
    where {{ to_where_clause }}
    group by {% for key in by.values() %}{{ key }}{{ ', ' if not loop.last }}{% endfor %}
)

select 'only here or different' as finding, * from (select * from here except select * from there) as left_over
union all
select 'only there or different' as finding, * from (select * from there except select * from here) as missing
{% endtest %}
