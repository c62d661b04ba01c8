{{ config(materialized='view', enabled=is_on('gcp')) }}
{#- Google's native FOCUS export has no ServiceCategory, InvoiceIssuerName and SkuMeter: they come from service and SKU. -#}
{%- set from_sku = "rows_in.ChargeCategory = 'Usage' and skus.sku_kind = 'tokens'" -%}
{%- set values = {} -%}
{%- for name, sql_type in focus_columns() -%}{%- do values.update({name: 'rows_in.' ~ name}) -%}{%- endfor -%}
{%- do values.update({
    'ServiceCategory': "coalesce(rows_in.ServiceCategory, services.service_category, case when skus.is_model_service then 'AI and Machine Learning' end, 'Other')",
    'ServiceSubcategory': "coalesce(rows_in.ServiceSubcategory, services.service_subcategory, case when skus.is_model_service then 'Generative AI' end, 'Other (Other)')",
    'ServiceName': 'coalesce(services.service_name, rows_in.ServiceName)',
    'ServiceProviderName': "coalesce(rows_in.ServiceProviderName, 'Google Cloud')",
    'HostProviderName': "coalesce(rows_in.HostProviderName, 'Google Cloud')",
    'InvoiceIssuerName': "coalesce(rows_in.InvoiceIssuerName, 'Google Cloud')",
    'SkuMeter': "coalesce(rows_in.SkuMeter, case when rows_in.SkuId is not null then rows_in.ChargeDescription end)",
    'SubAccountType': "case when rows_in.SubAccountId is not null then coalesce(rows_in.SubAccountType, 'Project') end",
    'SubAccountName': 'case when rows_in.SubAccountId is not null then coalesce(rows_in.SubAccountName, rows_in.SubAccountId) end',
    'x_SpendSource': "case
            when skus.is_accelerator or skus.sku_kind = 'vector_database' then 'ai_infrastructure'
            when skus.sku_kind = 'developer_tool' then 'developer_ai_tool'
            else coalesce(services.spend_source, 'cloud')
        end",
    'x_ModelId': "case when skus.sku_kind in ('tokens', 'cache_storage') then skus.model_id end",
    'x_ModelFamily': "case when skus.sku_kind in ('tokens', 'cache_storage') then skus.model_family end",
    'x_ModelDeveloper': "case when skus.sku_kind in ('tokens', 'cache_storage') then skus.model_developer end",
    'x_TokenMeter': 'case when ' ~ from_sku ~ ' then skus.token_meter end',
    'x_TokenDirection': 'case when ' ~ from_sku ~ ' then ' ~ token_direction('skus.token_meter') ~ ' end',
    'x_TokenCacheAction': 'case when ' ~ from_sku ~ ' then ' ~ token_cache_action('skus.token_meter') ~ ' end',
    'x_ServiceTier': 'case when ' ~ from_sku ~ ' then skus.service_tier end',
    'x_ContextWindow': 'case when ' ~ from_sku ~ ' then skus.context_window end',
    'ConsumedQuantity': 'case when ' ~ from_sku ~ " and lower(rows_in.PricingUnit) in ('count', 'token', 'tokens') then rows_in.PricingQuantity else rows_in.ConsumedQuantity end",
    'ConsumedUnit': 'case when ' ~ from_sku ~ " and lower(rows_in.PricingUnit) in ('count', 'token', 'tokens') and rows_in.PricingQuantity is not null then 'Tokens' else rows_in.ConsumedUnit end",
    'x_NativeColumns': json_merge_text('rows_in.x_NativeColumns', json_object_text({
        'x_SkuKind': "case when skus.sku_kind <> 'other' then skus.sku_kind end",
        'x_DeliveredConsumedUnit': 'case when ' ~ from_sku ~ ' then rows_in.ConsumedUnit end',
        'x_DeliveredConsumedQuantity': 'case when ' ~ from_sku ~ ' then cast(rows_in.ConsumedQuantity as string) end'
    }))
}) -%}
select
    {{ focus_row(values) }}
from (
    {{ focus_rows_from_file(ref('stg_gcp__focus_export')) }}
) as rows_in
left join {{ ref('int_gcp_sku') }} as skus
    on rows_in.ServiceName = skus.service_description and coalesce(rows_in.SkuMeter, rows_in.ChargeDescription) = skus.sku_description
left join {{ ref('cloud_service_map') }} as services
    on services.provider = 'Google' and services.service_key = lower(rows_in.ServiceName)
