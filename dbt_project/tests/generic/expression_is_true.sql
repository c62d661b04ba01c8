{#- `expression` is true for every row (where `where_clause` holds); null counts as false. -#}
{% test expression_is_true(model, expression, where_clause='1 = 1') %}
select *
from {{ model }}
where {{ where_clause }} and not coalesce({{ expression }}, false)
{% endtest %}
