{#- Reading the text of dropped bills: numbers, instants, JSON. Text that cannot be read gives null, never a guess. -#}

{#- An instant as bills write it, as a UTC timestamp: ISO with T or blank, with or without seconds, fractions, Z or offset;
    month/day/year with two or four year digits. Text without a zone is UTC. Null when it is none of these. -#}
{% macro utc_from_text(text) -%}
case
    when {{ text }} like '%/%/%' then try_cast(
        concat(
            case when length(split_part(split_part({{ text }}, ' ', 1), '/', 3)) = 2 then '20' else '' end,
            split_part(split_part({{ text }}, ' ', 1), '/', 3), '-',
            lpad(split_part({{ text }}, '/', 1), 2, '0'), '-',
            lpad(split_part({{ text }}, '/', 2), 2, '0'), ' ',
            coalesce(nullif(split_part({{ text }}, ' ', 2), ''), '00:00')
        ) as timestamp
    )
    else {{ zoned_text_to_utc("replace(replace(replace(trim(" ~ text ~ "), ' UTC', ''), 'T', ' '), 'Z', '')") }}
end
{%- endmacro %}

{#- ISO text, with an offset or else in UTC, as a UTC timestamp. The session's zone is UTC (profiles.yml). -#}
{% macro zoned_text_to_utc(text) -%}{{ return(adapter.dispatch('zoned_text_to_utc')(text)) }}{%- endmacro %}
{% macro duckdb__zoned_text_to_utc(text) -%}try_cast({{ text }} as timestamptz) at time zone 'UTC'{%- endmacro %}
{% macro default__zoned_text_to_utc(text) -%}try_cast({{ text }} as timestamp){%- endmacro %}

{#- Delivered text of `columns` {name: [text expression, precision, scale]} whose number has more fractional digits than
    its type, as pairs for json_object_text: key x_Delivered<name>. The typed column holds the rounded number. -#}
{% macro delivered_beyond_scale(columns) -%}
{%- set pairs = {} -%}
{%- for name, (text, precision, scale) in columns.items() -%}
{%- do pairs.update({'x_Delivered' ~ name: 'case when ' ~ text ~ ' is null or ' ~ is_plain_decimal(text, precision, scale) ~ ' then null when ' ~ decimal_scale_needed(text) ~ ' > ' ~ scale ~ ' then ' ~ text ~ ' end'}) -%}
{%- endfor -%}
{{ return(pairs) }}
{%- endmacro %}

{#- Why a number cannot be loaded: not a number, or too many digits before the point. More fractional digits than the
    type holds are no reason: they are kept beside it (cost_remainder, delivered_beyond_scale). -#}
{% macro unreadable_number(text, precision, scale) -%}
case
    when {{ text }} is null or {{ is_plain_decimal(text, precision, scale) }} then null
    when {{ decimal_scale_needed(text) }} is null then 'not a number'
    when try_cast({{ text }} as decimal({{ precision }}, {{ scale }})) is null then 'too many digits'
end
{%- endmacro %}

{#- What a delivered cost holds below 1e-14, to 1e-24: DECIMAL(38,14) of the text plus this is the delivered amount. -#}
{% macro cost_remainder(text) -%}
case
    when {{ is_plain_decimal(text, 38, 14) }} then 0
    when {{ decimal_scale_needed(text) }} > 14 and abs(try_cast({{ text }} as decimal(38, 14))) < 10000000000000
        then try_cast({{ text }} as decimal(38, 24)) - cast(try_cast({{ text }} as decimal(38, 14)) as decimal(38, 24))
    else 0
end
{%- endmacro %}

{#- One of the allowed values in its exact case; other text is kept as it is. -#}
{% macro canonical_case(text, allowed) -%}
case lower({{ text }}){% for value in allowed %} when '{{ value | lower }}' then '{{ value }}'{% endfor %} else {{ text }} end
{%- endmacro %}

{#- Two JSON objects held as text (either may be null) as one; keys of the second win. Null when both are null. -#}
{% macro json_merge_text(first, second) -%}{{ return(adapter.dispatch('json_merge_text')(first, second)) }}{%- endmacro %}
{% macro duckdb__json_merge_text(first, second) -%}
nullif(cast(json_merge_patch(coalesce({{ first }}, '{}'), coalesce({{ second }}, '{}')) as string), '{}')
{%- endmacro %}
{% macro default__json_merge_text(first, second) -%}
nullif(
    to_json(map_concat(
        map_filter(coalesce(from_json({{ first }}, 'map<string,string>'), map()), (k, v) -> not map_contains_key(coalesce(from_json({{ second }}, 'map<string,string>'), map()), k)),
        coalesce(from_json({{ second }}, 'map<string,string>'), map())
    )), '{}'
)
{%- endmacro %}

{#- True when the text is a JSON object. -#}
{% macro is_json_object(text) -%}{{ return(adapter.dispatch('is_json_object')(text)) }}{%- endmacro %}
{% macro duckdb__is_json_object(text) -%}(json_valid({{ text }}) and left(trim({{ text }}), 1) = '{' and right(trim({{ text }}), 1) = '}'){%- endmacro %}
{% macro default__is_json_object(text) -%}(get_json_object({{ text }}, '$') is not null and left(trim({{ text }}), 1) = '{' and right(trim({{ text }}), 1) = '}'){%- endmacro %}

{#- Every match of a regular expression replaced. -#}
{% macro replace_all_matches(text, pattern, replacement) -%}{{ return(adapter.dispatch('replace_all_matches')(text, pattern, replacement)) }}{%- endmacro %}
{% macro duckdb__replace_all_matches(text, pattern, replacement) -%}regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g'){%- endmacro %}
{% macro default__replace_all_matches(text, pattern, replacement) -%}regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}'){%- endmacro %}

{#- The structure of a JSON text: the same text with every string literal emptied. -#}
{% macro json_structure(text) -%}
{{ replace_all_matches("replace(replace(" ~ text ~ ", concat(chr(92), chr(92)), ''), concat(chr(92), chr(34)), '')", '"[^"]*"', '""') }}
{%- endmacro %}
