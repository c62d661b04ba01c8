{#- Sources that nobody has switched on and that never delivered have no models: the command line names the others in
    AISL_SOURCES, between spaces. Without it every source is on. -#}

{#- Whether the models of a source are built. -#}
{% macro is_on(source_name) -%}
{%- set name = ' ' ~ source_name ~ ' ' -%}
{{ return(name in env_var('AISL_SOURCES', name)) }}
{%- endmacro %}

{#- Models of a var list (stg_<source>__...) whose source is on. -#}
{% macro models_on(list_name) -%}
{%- set found = [] -%}
{%- for model in var(list_name) if is_on(model[4:].split('__')[0]) -%}{%- do found.append(model) -%}{%- endfor -%}
{{ return(found) }}
{%- endmacro %}
