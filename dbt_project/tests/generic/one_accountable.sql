{#- Every activity has exactly one A. -#}
{% test one_accountable(model) %}
select activity, sum(case when responsibility = 'A' then 1 else 0 end) as accountable
from {{ model }}
group by activity
having sum(case when responsibility = 'A' then 1 else 0 end) <> 1
{% endtest %}
