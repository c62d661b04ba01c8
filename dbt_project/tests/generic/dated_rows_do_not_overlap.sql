{#- Rows that agree on `keys` have disjoint validity [valid_from, valid_to), and no row ends before it starts. An empty
    valid_to is open; an empty valid_from means always. -#}
{% test dated_rows_do_not_overlap(model, keys, valid_from='valid_from', valid_to='valid_to') %}
with dated as (
    select
        {% for key in keys %}{{ key }} as key_{{ loop.index }}, {% endfor %}
        coalesce(cast({{ valid_from }} as date), date '0001-01-01') as starts_on,
        coalesce(cast({{ valid_to }} as date), date '9999-12-31') as ends_on
    from {{ model }}
),

ordered as (
    select
        *,
        lead(starts_on) over (
            partition by {% for key in keys %}key_{{ loop.index }}{{ ', ' if not loop.last }}{% endfor %}
            order by starts_on, ends_on
        ) as next_starts_on
    from dated
)

select * from ordered
where ends_on <= starts_on or next_starts_on < ends_on
{% endtest %}
