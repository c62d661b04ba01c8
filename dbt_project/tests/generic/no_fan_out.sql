{#- As many rows as relation `of` has (where `of_where_clause` holds): a join neither multiplied nor lost any. -#}
{% test no_fan_out(model, of, where_clause='1 = 1', of_where_clause='1 = 1') %}
select here.row_count as rows_here, there.row_count as rows_there
from (select count(*) as row_count from {{ model }} where {{ where_clause }}) as here
cross join (select count(*) as row_count from {{ of }} where {{ of_where_clause }}) as there
where here.row_count <> there.row_count
{% endtest %}
