{#-
largest_remainder: splits amounts over the rows of a group in proportion to a weight, exactly.

    select * from (
        {{ largest_remainder(
            relation='weighted',                     -- a CTE or relation name
            partition_by=['x_charge_id'],            -- one group = one amount to split
            order_by=['target_key'],                 -- unique within the group; decides ties
            weight='weight',                         -- integer 0..9e18; null and negative count as 0
            columns=['x_charge_id', 'target_key'],   -- columns of `relation` to carry through
            amounts={'BilledCost': 'share_billed_cost', 'EffectiveCost': 'share_effective_cost'},
            share='share') }}
    ) as split

Gives one row per row of `relation`: `columns`, then
* `share_ordinal` INTEGER: 1, 2, … by `order_by` within the group;
* `share` DECIMAL(20,18): shares of a group sum to exactly 1 (leave out with share=none);
* one DECIMAL(38,14) column per entry of `amounts` (input column: output column). The input repeats on every row of
  the group and is DECIMAL(38,14); the outputs of a group sum to exactly it. Each amount is split on its absolute
  value, the sign is put back. A null amount stays null. Weights and a zero-weight row: the row gets 0.

Each row first gets floor(amount x weight / total weight) in units of 1e-14 (shares 1e-18); the units left over go one
each to the largest remainders, ties to the smaller `order_by`. When the total weight is 0: zero_weight='even' (default)
splits evenly, zero_weight='null' gives null shares and amounts, for the caller to name as a residual.

Limits: total weight of a group below 9.2e18 (weigh decimals as whole units, e.g. cast(x * 1000000 as bigint)), amounts
below 9e16. Beyond them the query fails on overflow; it never rounds. No row is added or dropped.
-#}
{% macro largest_remainder(relation, partition_by, order_by, weight, columns, amounts={}, share='share', zero_weight='even') -%}
{%- if zero_weight not in ('even', 'null') -%}
    {{ exceptions.raise_compiler_error("largest_remainder: zero_weight is 'even' or 'null', got " ~ zero_weight) }}
{%- endif -%}
{%- set parts = [] -%}
{%- if share is not none -%}
    {%- do parts.append({'unit': 'share', 'column': share}) -%}
{%- endif -%}
{%- for source_column, target_column in amounts.items() -%}
    {%- do parts.append({'unit': 'amount', 'source': source_column, 'column': target_column}) -%}
{%- endfor -%}
{%- set wide = wide_integer_type() -%}
{%- set keys = partition_by | join(', ') -%}
{%- set ties = order_by | join(', ') -%}
select
    {% for column in columns %}{{ column }}, {% endfor %}
    cast(lr_ordinal as integer) as share_ordinal
    {%- for part in parts %},
    {% if part.unit == 'share' -%}
    cast(cast(lr_floor_{{ loop.index }} + case when lr_rank_{{ loop.index }} <= lr_left_{{ loop.index }} then 1 else 0 end as decimal(38, 0))
        * cast(0.000000000000000001 as decimal(18, 18)) as decimal(20, 18)) as {{ part.column }}
    {%- else -%}
    cast(cast(lr_sign_{{ loop.index }} * (lr_floor_{{ loop.index }}
        + case when lr_rank_{{ loop.index }} <= lr_left_{{ loop.index }} then 1 else 0 end) as decimal(38, 0))
        * cast(0.00000000000001 as decimal(14, 14)) as decimal(38, 14)) as {{ part.column }}
    {%- endif -%}
    {%- endfor %}
from (
    select
        *
        {%- for part in parts %},
        lr_units_{{ loop.index }} - sum(lr_floor_{{ loop.index }}) over (partition by {{ keys }}) as lr_left_{{ loop.index }},
        row_number() over (partition by {{ keys }} order by lr_rest_{{ loop.index }} desc, lr_ordinal) as lr_rank_{{ loop.index }}
        {%- endfor %}
    from (
        select
            *
            {%- for part in parts %},
            lr_quotient_{{ loop.index }} * lr_weight + lr_step_{{ loop.index }} as lr_floor_{{ loop.index }},
            lr_product_{{ loop.index }} - lr_step_{{ loop.index }} * lr_total as lr_rest_{{ loop.index }}
            {%- endfor %}
        from (
            select
                *
                {%- for part in parts %},
                {{ integer_quotient('lr_product_' ~ loop.index, 'lr_total') }} as lr_step_{{ loop.index }}
                {%- endfor %}
            from (
                select
                    *
                    {%- for part in parts %},
                    (lr_units_{{ loop.index }} - lr_quotient_{{ loop.index }} * lr_total) * lr_weight as lr_product_{{ loop.index }}
                    {%- endfor %}
                from (
                    select
                        *
                        {%- for part in parts %},
                        {{ integer_quotient('lr_units_' ~ loop.index, 'lr_total') }} as lr_quotient_{{ loop.index }}
                        {%- endfor %}
                    from (
                        select
                            lr_in.*,
                            {% if zero_weight == 'even' -%}
                            case when lr_sum > 0 then lr_own else cast(1 as {{ wide }}) end as lr_weight,
                            case when lr_sum > 0 then lr_sum else cast(lr_count as {{ wide }}) end as lr_total
                            {%- else -%}
                            lr_own as lr_weight,
                            nullif(lr_sum, 0) as lr_total
                            {%- endif %}
                            {%- for part in parts %},
                            {% if part.unit == 'share' -%}
                            cast(1000000000000000000 as {{ wide }}) as lr_units_{{ loop.index }}
                            {%- else -%}
                            {{ decimal_units('abs(' ~ part.source ~ ')', 14) }} as lr_units_{{ loop.index }},
                            case when {{ part.source }} < 0 then -1 else 1 end as lr_sign_{{ loop.index }}
                            {%- endif -%}
                            {%- endfor %}
                        from (
                            select
                                lr_source.*,
                                cast(greatest(coalesce({{ weight }}, 0), 0) as {{ wide }}) as lr_own,
                                sum(cast(greatest(coalesce({{ weight }}, 0), 0) as {{ wide }})) over (partition by {{ keys }}) as lr_sum,
                                count(*) over (partition by {{ keys }}) as lr_count,
                                row_number() over (partition by {{ keys }} order by {{ ties }}) as lr_ordinal
                            from {{ relation }} as lr_source
                        ) as lr_in
                    ) as lr_unit
                ) as lr_divided
            ) as lr_multiplied
        ) as lr_stepped
    ) as lr_floored
) as lr_ranked
{%- endmacro %}
