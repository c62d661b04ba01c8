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

`amounts_in_units`: the input columns are signed whole numbers of 1e-14 (see `signed_units`), turned so once per group
by a caller with many rows per group; turning them here costs more than the split.

Each row first gets floor(amount x weight / total weight) in units of 1e-14 (shares 1e-18); the units left over go one
each to the largest remainders, ties to the smaller `order_by`. When the total weight is 0: zero_weight='even' (default)
splits evenly, zero_weight='null' gives null shares and amounts, for the caller to name as a residual.

The quotients are guessed and then put right twice: a guess is off by less than 2^12, its correction by at most one.

Limits: total weight of a group below 9.2e18 (weigh decimals as whole units, e.g. cast(x * 1000000 as bigint)), amounts
below 9e16. Beyond them the query fails on overflow; it never rounds. No row is added or dropped.
-#}
{% macro largest_remainder(relation, partition_by, order_by, weight, columns, amounts={}, share='share', zero_weight='even',
    amounts_in_units=false) -%}
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
            lr_quotient_{{ loop.index }} * lr_weight + lr_step_{{ loop.index }}
                + case when lr_gap_{{ loop.index }} < 0 then -1 when lr_gap_{{ loop.index }} >= lr_total then 1 else 0 end as lr_floor_{{ loop.index }},
            lr_gap_{{ loop.index }}
                + case when lr_gap_{{ loop.index }} < 0 then lr_total when lr_gap_{{ loop.index }} >= lr_total then -lr_total else 0 end as lr_rest_{{ loop.index }}
            {%- endfor %}
        from (
            select
                lr_weight, lr_total, lr_ordinal
                {%- for column in columns %}, {{ column }}{% endfor %}
                {%- for column in partition_by if column not in columns %}, {{ column }}{% endfor %}
                {%- for part in parts %},
                lr_units_{{ loop.index }}, lr_quotient_{{ loop.index }}{% if part.unit != 'share' %}, lr_sign_{{ loop.index }}{% endif %},
                lr_guess_{{ loop.index }} + {{ near_quotient('lr_miss_' ~ loop.index, 'lr_total') }} as lr_step_{{ loop.index }},
                lr_miss_{{ loop.index }} - {{ near_quotient('lr_miss_' ~ loop.index, 'lr_total') }} * lr_total as lr_gap_{{ loop.index }}
                {%- endfor %}
            from (
                select
                    *
                    {%- for part in parts %},
                    lr_product_{{ loop.index }} - lr_guess_{{ loop.index }} * lr_total as lr_miss_{{ loop.index }}
                    {%- endfor %}
                from (
                    select
                        *
                        {%- for part in parts %},
                        {{ near_quotient('lr_product_' ~ loop.index, 'lr_total') }} as lr_guess_{{ loop.index }}
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
                                {{ narrow_quotient('lr_units_' ~ loop.index, 'lr_total') }} as lr_quotient_{{ loop.index }}
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
                                    {% if amounts_in_units %}abs({{ part.source }}){% else %}{{ decimal_units('abs(' ~ part.source ~ ')', 14) }}{% endif %} as lr_units_{{ loop.index }},
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
                ) as lr_guessed
            ) as lr_missed
        ) as lr_stepped
    ) as lr_floored
) as lr_ranked
{%- endmacro %}

{#- About dividend / divisor as a wide integer: a quotient below 2^63 is off by less than 2^12, one below 2^50 by at most 1.
    Null when the divisor is null. DuckDB divides 128-bit integers a hundred times slower than it guesses. -#}
{% macro near_quotient(dividend, divisor) -%}{{ return(adapter.dispatch('near_quotient')(dividend, divisor)) }}{%- endmacro %}
{% macro duckdb__near_quotient(dividend, divisor) -%}
cast(floor(cast({{ dividend }} as double) / cast({{ divisor }} as double)) as hugeint)
{%- endmacro %}
{% macro default__near_quotient(dividend, divisor) -%}{{ integer_quotient(dividend, divisor) }}{%- endmacro %}

{#- Whole quotient of two non-negative wide integers, exact, in 64 bits where the dividend fits; the divisor always does. -#}
{% macro narrow_quotient(dividend, divisor) -%}{{ return(adapter.dispatch('narrow_quotient')(dividend, divisor)) }}{%- endmacro %}
{% macro duckdb__narrow_quotient(dividend, divisor) -%}
case
    when {{ dividend }} <= 9223372036854775807 then cast(cast({{ dividend }} as bigint) // cast({{ divisor }} as bigint) as hugeint)
    else {{ integer_quotient(dividend, divisor) }}
end
{%- endmacro %}
{% macro default__narrow_quotient(dividend, divisor) -%}{{ integer_quotient(dividend, divisor) }}{%- endmacro %}

{#- A DECIMAL(38,14) as a signed whole number of 1e-14, exact; null for null. -#}
{% macro signed_units(amount) -%}
(case when {{ amount }} < 0 then -1 else 1 end * {{ decimal_units('abs(' ~ amount ~ ')', 14) }})
{%- endmacro %}
