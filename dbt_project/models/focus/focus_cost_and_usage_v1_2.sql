{{ config(materialized='view') }}
{%- set values = {} -%}
{%- for name, sql_type in focus_columns('CostAndUsage_1_2') -%}{%- do values.update({name: name}) -%}{%- endfor -%}
{%- do values.update({
    'ProviderName': 'coalesce(x_ProviderName, ServiceProviderName)',
    'PublisherName': 'coalesce(x_PublisherName, HostProviderName, ServiceProviderName)'
}) -%}
select
    {{ focus_row(values, 'CostAndUsage_1_2') }}
from {{ ref('focus_cost_and_usage') }}
