-- What vendors report as billed, in the shape of macro vendor_charge, as rows of the contract. Prices are named only where
-- they are known: the vendor's own, else the catalogue's for a token meter.
with charge as (
    select
        *,
        {{ canonical_model('model_name') }} as canonical_model,
        row_number() over (partition by source, account, charge_key order by delivery_id, billed_cost, billed_cost_remainder, quantity) as ordinal_among_equal,
        case token_meter when 'embedding' then 'input' when 'cache_write' then 'cache_write_5m' else token_meter end as price_meter,
        case when coalesce(service_tier, 'default') = 'default' then 'standard' else service_tier end as price_tier,
        cast(case when context_window = '200k-1M' then 200001 else 0 end as bigint) as context_from_tokens
    from {{ ref('int_vendor_charge') }}
    where cost_basis = 'billed' and billed_cost is not null
),

needs as (
    select
        price_provider as provider_id, canonical_model as model_name, price_meter as token_meter, price_tier as tier,
        context_from_tokens, charge_date
    from charge
    where price_provider is not null and token_meter is not null and quantity is not null
),

list_price as ({{ dated_price('needs', 'list') }}),

contract_price as ({{ dated_price('needs', 'contract') }}),

priced as (
    select
        charge.*,
        coalesce(names.model_id, charge.canonical_model) as model_id,
        names.model_family,
        names.model_developer,
        case
            -- Exact or not at all: below a millionth of a token there is no PricingQuantity.
            when charge.token_meter is not null and charge.quantity = cast(charge.quantity as decimal(22, 6))
                then cast(cast(charge.quantity as decimal(22, 6)) * cast(0.000001 as decimal(9, 6)) as decimal(28, 12))
            when charge.token_meter is not null then null
            when charge.charge_category in ('Usage', 'Purchase') then charge.quantity
        end as pricing_quantity,
        coalesce(charge.list_unit_price, list_price.unit_price, charge.contracted_unit_price) as known_list_price,
        coalesce(charge.contracted_unit_price, contract_price.unit_price, charge.list_unit_price, list_price.unit_price) as known_contract_price,
        coalesce(charge.sku_id, concat(
            charge.service_name,
            case when charge.canonical_model is not null then concat('/', coalesce(names.model_id, charge.canonical_model)) else '' end,
            case when charge.token_meter is not null then concat('/', charge.token_meter) when charge.sku_meter is not null then concat('/', charge.sku_meter) else '' end
        )) as sku
    from charge
    left join {{ ref('model_names') }} as names on names.model_name = charge.canonical_model
    left join list_price
        on list_price.provider_id = charge.price_provider and list_price.model_name = charge.canonical_model
        and list_price.token_meter = charge.price_meter and list_price.tier = charge.price_tier
        and list_price.context_from_tokens = charge.context_from_tokens and list_price.charge_date = charge.charge_date
    left join contract_price
        on contract_price.provider_id = charge.price_provider and contract_price.model_name = charge.canonical_model
        and contract_price.token_meter = charge.price_meter and contract_price.tier = charge.price_tier
        and contract_price.context_from_tokens = charge.context_from_tokens and contract_price.charge_date = charge.charge_date
),

metered as (
    select
        *,
        charge_category in ('Usage', 'Purchase') and pricing_quantity is not null as is_priced,
        case when charge_category in ('Usage', 'Purchase') and pricing_quantity is not null then known_list_price end as list_price,
        case when charge_category in ('Usage', 'Purchase') and pricing_quantity is not null then known_contract_price end as contract_price
    from priced
)

select
{{ focus_row({
    'BilledCost': 'billed_cost',
    'x_BilledCostRemainder': 'billed_cost_remainder',
    'BillingAccountId': 'coalesce(billing_account_id, account)',
    'BillingAccountName': 'billing_account_name',
    'BillingCurrency': 'upper(currency)',
    'BillingPeriodStart': 'billing_period_start',
    'BillingPeriodEnd': 'billing_period_end',
    'ChargeCategory': 'charge_category',
    'ChargeClass': 'charge_class',
    'ChargeDescription': 'description',
    'ChargeFrequency': 'charge_frequency',
    'ChargePeriodStart': 'charge_start',
    'ChargePeriodEnd': 'charge_end',
    'ConsumedQuantity': "case when charge_category = 'Usage' and pricing_quantity is not null then quantity end",
    'ConsumedUnit': "case when charge_category = 'Usage' and pricing_quantity is not null then unit end",
    'ContractedCost': 'coalesce(' ~ decimal_product('pricing_quantity', 'contract_price') ~ ', billed_cost)',
    'ContractedUnitPrice': 'contract_price',
    'EffectiveCost': 'coalesce(effective_cost, billed_cost)',
    'HostProviderName': "case when charge_category in ('Usage', 'Purchase') then host_provider_name end",
    'InvoiceId': 'invoice_id',
    'InvoiceIssuerName': 'invoice_issuer_name',
    'ListCost': 'coalesce(' ~ decimal_product('pricing_quantity', 'list_price') ~ ', list_cost, billed_cost)',
    'ListUnitPrice': 'list_price',
    'PricingCategory': "case when is_priced then 'Standard' end",
    'PricingQuantity': 'case when is_priced then pricing_quantity end',
    'PricingUnit': "case when is_priced then case when token_meter is not null then '1000000 Tokens' else unit end end",
    'RegionId': 'region_id',
    'RegionName': 'region_id',
    'ResourceId': 'resource_id',
    'ResourceName': 'case when resource_id is not null then coalesce(resource_name, resource_id) end',
    'ResourceType': 'case when resource_id is not null then resource_type end',
    'ServiceCategory': 'service_category',
    'ServiceName': 'service_name',
    'ServiceProviderName': 'provider_name',
    'ServiceSubcategory': 'service_subcategory',
    'SkuId': "case when charge_category in ('Usage', 'Purchase') then sku end",
    'SkuMeter': "case when charge_category in ('Usage', 'Purchase') then coalesce(sku_meter, token_meter) end",
    'SkuPriceDetails': 'case when is_priced then ' ~ json_object_text({
        'x_ModelDeveloper': 'model_developer', 'x_ModelFamily': 'model_family', 'x_ModelId': 'model_id',
        'x_TokenDirection': token_direction('token_meter'), 'x_TokenCacheAction': token_cache_action('token_meter'),
        'x_ServiceTier': 'service_tier'}) ~ ' end',
    'SkuPriceId': "case when is_priced then concat(sku, '/', coalesce(service_tier, 'default'), '/', upper(currency)) end",
    'SubAccountId': 'sub_account_id',
    'SubAccountName': 'case when sub_account_id is not null then coalesce(sub_account_name, sub_account_id) end',
    'SubAccountType': 'case when sub_account_id is not null then sub_account_type end',
    'Tags': 'tags',
    'x_charge_id': row_hash(['source', 'account', 'charge_key', 'ordinal_among_equal']),
    'x_SourceId': 'source',
    'x_Account': 'account',
    'x_FocusVersionIn': "'native'",
    'x_Delivery': 'delivery_id',
    'x_SpendSource': 'spend_source',
    'x_ModelId': 'model_id',
    'x_ModelFamily': 'model_family',
    'x_ModelDeveloper': 'model_developer',
    'x_TokenMeter': 'token_meter',
    'x_TokenDirection': token_direction('token_meter'),
    'x_TokenCacheAction': token_cache_action('token_meter'),
    'x_ServiceTier': 'service_tier',
    'x_ContextWindow': 'context_window',
    'x_CredentialId': 'credential_id',
    'x_PrincipalId': 'principal_id',
    'x_WorkspaceId': 'workspace_id',
    'x_NativeColumns': 'native_columns',
}) }}
from metered
