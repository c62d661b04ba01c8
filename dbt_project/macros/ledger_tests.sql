{#- Generic tests that say in one query what several would: every node of a build costs as much as its query. -#}

{#- `columns` identify a row: none of them is null and no two rows agree on all of them. -#}
{% test identified_by(model, columns) %}
select {{ columns | join(', ') }}, count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1 or {% for column in columns %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}
