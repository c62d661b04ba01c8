{#- Exact decimal arithmetic in SQL that runs on both engines. Money never meets a binary float here. -#}

{#- The text of a decimal number (scientific notation too) as DECIMAL(precision, scale). Null when the text is null,
    is no number, or has more digits than fit: a value is never rounded. Use `decimal_problem` to name the reason. -#}
{% macro exact_decimal(text, precision=38, scale=14) -%}
case
    when {{ is_plain_decimal(text, precision, scale) }} then try_cast({{ text }} as decimal({{ precision }}, {{ scale }}))
    when {{ decimal_scale_needed(text) }} <= {{ scale }} then try_cast({{ text }} as decimal({{ precision }}, {{ scale }}))
end
{%- endmacro %}

{#- True for text without exponent whose digits fit as they stand: nearly every number of a bill, decided by one pattern
    where `decimal_scale_needed` takes six. False says nothing about the number; null for null. -#}
{% macro is_plain_decimal(text, precision=38, scale=14) -%}
regexp_extract({{ text }}, '^-?[0-9]{1,{{ precision - scale }}}([.][0-9]{1,{{ scale }}})?$', 0) <> ''
{%- endmacro %}

{#- Fractional digits that the number in `text` really has; null when the text is not a number. -#}
{% macro decimal_scale_needed(text) -%}
case
    when regexp_extract({{ text }}, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$', 0) = '' then null
    else
        length(regexp_replace(regexp_extract({{ text }}, '[.]([0-9]*)', 1), '0+$', ''))
        - case
            when regexp_replace(regexp_extract({{ text }}, '[.]([0-9]*)', 1), '0+$', '') = ''
                then length(regexp_extract({{ text }}, '^[+-]?([0-9]*)', 1))
                    - length(regexp_replace(regexp_extract({{ text }}, '^[+-]?([0-9]*)', 1), '0+$', ''))
            else 0
        end
        - coalesce(cast(nullif(regexp_extract({{ text }}, '[eE]([+-]?[0-9]{1,3})$', 1), '') as integer), 0)
end
{%- endmacro %}

{#- Why `text` is not a DECIMAL(precision, scale): `not a number`, `too many fractional digits`,
    `too many digits`; null when it fits or is null. -#}
{% macro decimal_problem(text, precision=38, scale=14) -%}
case
    when {{ text }} is null or {{ is_plain_decimal(text, precision, scale) }} then null
    when {{ decimal_scale_needed(text) }} is null then 'not a number'
    when {{ decimal_scale_needed(text) }} > {{ scale }} then 'too many fractional digits'
    when try_cast({{ text }} as decimal({{ precision }}, {{ scale }})) is null then 'too many digits'
end
{%- endmacro %}

{#- Vendor money text as DECIMAL(38,14) in major units. `minor_digits`: 0 for dollars, 2 for cents, 9 for nano-dollars.
    The unit is changed by multiplying, which is exact; text that would need rounding gives null. -#}
{% macro to_money(text, minor_digits=0) -%}
{%- if minor_digits == 0 -%}
{{ exact_decimal(text, 38, 14) }}
{%- else -%}
cast(
    {{ exact_decimal(text, 38 - minor_digits, 14 - minor_digits) }}
    * cast(0.{{ '0' * (minor_digits - 1) }}1 as decimal({{ minor_digits }}, {{ minor_digits }})) as decimal(38, 14)
)
{%- endif -%}
{%- endmacro %}

{#- A billed cost finer than 1e-14 is no reject: it is `billed_amount` (nearest 1e-14, half up) plus `billed_remainder`
    (DECIMAL(38,24)), together the delivered amount to the digit. Both null when it is finer than 1e-24 or too large. -#}
{% macro billed_amount(text, minor_digits=0) -%}
coalesce({{ to_money(text, minor_digits) }}, cast({{ billed_amount_to_24_digits(text, minor_digits) }} as decimal(38, 14)))
{%- endmacro %}

{% macro billed_remainder(text, minor_digits=0) -%}
case
    when {{ to_money(text, minor_digits) }} is not null then cast(0 as decimal(38, 24))
    else {{ billed_amount_to_24_digits(text, minor_digits) }}
        - cast(cast({{ billed_amount_to_24_digits(text, minor_digits) }} as decimal(38, 14)) as decimal(38, 24))
end
{%- endmacro %}

{#- A billed cost as DECIMAL(38,24) in major units; null when it does not fit. -#}
{% macro billed_amount_to_24_digits(text, minor_digits=0) -%}
{%- if minor_digits == 0 -%}
{{ exact_decimal(text, 38, 24) }}
{%- else -%}
cast(
    {{ exact_decimal(text, 38 - minor_digits, 24 - minor_digits) }}
    * cast(0.{{ '0' * (minor_digits - 1) }}1 as decimal({{ minor_digits }}, {{ minor_digits }})) as decimal(38, 24)
)
{%- endif -%}
{%- endmacro %}

{#- Why a billed cost cannot be booked; null when it can. -#}
{% macro billed_problem(text, minor_digits=0) -%}
case
    when {{ exact_decimal(text, 38 - minor_digits, 14 - minor_digits) }} is not null then null
    else {{ decimal_problem(text, 38 - minor_digits, 24 - minor_digits) }}
end
{%- endmacro %}

{#- quantity DECIMAL(28,12) x unit price DECIMAL(28,16) as DECIMAL(38,14) (an amount DECIMAL(38,14) x rate with
    scale=14), exact whenever the product has at most 14
    fractional digits; longer products are rounded half up once. Products of 1e18 and more fail on overflow.
    One factor of each partial product has more than 18 digits: DuckDB multiplies two narrow ones in 64 bits. -#}
{% macro decimal_product(quantity, price, scale=12) -%}
{%- set q_whole = 'cast(' ~ whole_part(quantity) ~ ' as decimal(22, 0))' -%}
{%- set p_whole = 'cast(' ~ whole_part(price) ~ ' as decimal(12, 0))' -%}
{%- set q_part = 'cast(' ~ quantity ~ ' - ' ~ q_whole ~ ' as decimal(19, ' ~ scale ~ '))' -%}
{%- set p_part = 'cast(' ~ price ~ ' - ' ~ p_whole ~ ' as decimal(16, 16))' -%}
cast(
    cast({{ q_whole }} * {{ p_whole }} as decimal(38, 20))
    + cast({{ q_whole }} * {{ p_part }} as decimal(38, 20))
    + cast({{ q_part }} * {{ p_whole }} as decimal(38, 20))
    + cast({{ q_part }} * {{ p_part }} as decimal(38, 20))
    as decimal(38, 14)
)
{%- endmacro %}

{#- Integer type wide enough for money in units of 1e-14. -#}
{% macro wide_integer_type() -%}{{ return(adapter.dispatch('wide_integer_type')()) }}{%- endmacro %}
{% macro default__wide_integer_type() -%}decimal(38, 0){%- endmacro %}
{% macro duckdb__wide_integer_type() -%}hugeint{%- endmacro %}

{#- The part of a number before the decimal point, towards zero. -#}
{% macro whole_part(expression) -%}
case when {{ expression }} < 0 then ceil({{ expression }}) else floor({{ expression }}) end
{%- endmacro %}

{#- A non-negative DECIMAL with `scale` (at most 18) digits as a whole number of units of 10^-scale, exact. -#}
{% macro decimal_units(expression, scale) -%}
(cast(floor({{ expression }}) as {{ wide_integer_type() }}) * cast(1{{ '0' * scale }} as {{ wide_integer_type() }})
    + cast(cast(({{ expression }}) - floor({{ expression }}) as decimal({{ scale }}, {{ scale }}))
        * cast(1{{ '0' * scale }} as decimal(19, 0)) as {{ wide_integer_type() }}))
{%- endmacro %}

{#- Whole quotient of two non-negative wide integers, exact; null when the divisor is null. -#}
{% macro integer_quotient(dividend, divisor) -%}{{ return(adapter.dispatch('integer_quotient')(dividend, divisor)) }}{%- endmacro %}
{% macro duckdb__integer_quotient(dividend, divisor) -%}
({{ dividend }} // {{ divisor }})
{%- endmacro %}
{#- Spark's `div` returns BIGINT and `/` rounds, so divide in two steps of twelve digits. -#}
{% macro default__integer_quotient(dividend, divisor) -%}
(cast(({{ dividend }} div cast(1000000000000 as decimal(38, 0))) div {{ divisor }} as decimal(38, 0)) * cast(1000000000000 as decimal(38, 0))
    + cast((cast(({{ dividend }} div cast(1000000000000 as decimal(38, 0))) as decimal(38, 0)) % {{ divisor }} * cast(1000000000000 as decimal(38, 0))
        + {{ dividend }} % cast(1000000000000 as decimal(38, 0))) div {{ divisor }} as decimal(38, 0)))
{%- endmacro %}

{#- A cost DECIMAL(38,14) per unit of a quantity DECIMAL(28,12), as DECIMAL(38,14): half up at the last digit, once. The quantity
    counts to 1e-6 (in millions of tokens: to one token); null where it is then not positive. Costs below 1e17 fit. -#}
{% macro cost_per_unit(cost, quantity) -%}
{%- set units = 'cast(' ~ quantity ~ ' as decimal(28, 6))' -%}
case when {{ units }} > 0 then
    cast(cast(case when {{ cost }} < 0 then -1 else 1 end
        * {{ integer_quotient(
            '(' ~ decimal_units('abs(' ~ cost ~ ')', 14) ~ ' * cast(1000000 as ' ~ wide_integer_type() ~ ') + '
                ~ integer_quotient(decimal_units(units, 6), 'cast(2 as ' ~ wide_integer_type() ~ ')') ~ ')',
            decimal_units(units, 6)) }} as decimal(38, 0))
        * cast(0.00000000000001 as decimal(14, 14)) as decimal(38, 14))
end
{%- endmacro %}
