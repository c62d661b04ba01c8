{#- The row rules R1 to R22: for each the rows it applies to and the rows that break it, as SQL over one relation with the
    columns of the contract plus `is_listed_subcategory`. Texts and levels are in seed focus_rules. -#}
{% macro focus_row_rules() %}
{%- set texts = [] -%}
{%- set json_columns = ['AllocatedMethodDetails', 'AllocatedTags', 'CommitmentProgramEligibilityDetails', 'ContractApplied', 'SkuPriceDetails', 'Tags'] -%}
{%- for name, sql_type in focus_columns() if sql_type == 'string' and not name.startswith('x_') and name not in json_columns and name != 'ChargeDescription' -%}
    {%- do texts.append(name) -%}
{%- endfor -%}
{%- set placeholders = [] -%}
{%- for name in texts -%}
    {%- do placeholders.append("lower(trim(" ~ name ~ ")) in ('', 'null', 'n/a', 'na', 'unknown', 'not applicable', 'not available', 'tbd', '-')") -%}
{%- endfor -%}
{%- set unlisted = [] -%}
{%- for name, allowed in focus_allowed_values().items() -%}
    {%- do unlisted.append(name ~ " not in ('" ~ allowed | join("', '") ~ "')") -%}
{%- endfor -%}
{%- set broken_json = [] -%}
{%- for name in json_columns -%}
    {%- do broken_json.append('(' ~ name ~ ' is not null and not ' ~ is_json_object(name) ~ ')') -%}
{%- endfor -%}
{%- for name in ['AllocatedTags', 'SkuPriceDetails', 'Tags'] -%}
    {#- Only text with a second bracket can be nested: the emptying of its strings is dear. -#}
    {%- do broken_json.append("(substring(trim(" ~ name ~ "), 2) like '%{%' or substring(trim(" ~ name ~ "), 2) like '%[%') and regexp_extract(substring(" ~ json_structure('trim(' ~ name ~ ')') ~ ", 2), '[{[]', 0) <> ''") -%}
{%- endfor -%}
{%- set known_keys = 'CoreCount|DiskMaxIops|DiskSpace|DiskType|GpuCount|InstanceType|InstanceSeries|MemorySize|NetworkMaxIops|NetworkMaxThroughput|OperatingSystem|Redundancy|StorageClass' -%}
{%- do broken_json.append("regexp_extract(" ~ replace_all_matches('SkuPriceDetails', '"(x_[^"]*|' ~ known_keys ~ ')" *:', '') ~ ", '\"[^\"]*\" *:', 0) <> ''") -%}
{{ return([
    ('R1', 'true',
     'BilledCost is null or EffectiveCost is null or ListCost is null or ContractedCost is null or BillingCurrency is null'
     ' or BillingPeriodStart is null or BillingPeriodEnd is null or ChargePeriodStart is null or ChargePeriodEnd is null'
     ' or ChargeCategory is null or ServiceCategory is null or ServiceName is null or BillingAccountId is null'
     ' or InvoiceIssuerName is null'),
    ('R2', 'true', 'BillingPeriodStart >= BillingPeriodEnd or ChargePeriodStart >= ChargePeriodEnd'),
    ('R3', "ChargeCategory = 'Usage' and ChargeClass is null",
     'ChargePeriodStart < BillingPeriodStart or ChargePeriodEnd > BillingPeriodEnd'),
    ('R4', 'ChargeClass is not null', "ChargeClass <> 'Correction' or ChargePeriodStart >= BillingPeriodStart"),
    ('R5', "ChargeCategory = 'Tax'",
     'SkuId is not null or SkuPriceId is not null or ListUnitPrice is not null or ContractedUnitPrice is not null'
     ' or PricingQuantity is not null or PricingUnit is not null or PricingCategory is not null'),
    ('R6', "ChargeCategory in ('Usage', 'Purchase') and ChargeClass is null and CommitmentDiscountStatus is distinct from 'Unused'",
     'SkuId is null or SkuPriceId is null or PricingQuantity is null or PricingUnit is null or PricingCategory is null'
     ' or ListUnitPrice is null or ContractedUnitPrice is null'),
    ('R7', 'SkuPriceId is null',
     'PricingQuantity is not null or PricingUnit is not null or ListUnitPrice is not null or ContractedUnitPrice is not null'
     ' or PricingCategory is not null or ConsumedQuantity is not null or CommitmentDiscountQuantity is not null'
     ' or SkuPriceDetails is not null'),
    ('R8', "ChargeCategory = 'Usage' or ConsumedQuantity is not null",
     "(ConsumedQuantity is not null and (ChargeCategory <> 'Usage' or CommitmentDiscountStatus = 'Unused'))"
     " or (ConsumedQuantity is null and ChargeCategory = 'Usage' and ChargeClass is null"
     " and CommitmentDiscountStatus is distinct from 'Unused')"),
    ('R9', 'true',
     '(ConsumedQuantity is null) <> (ConsumedUnit is null) or (PricingQuantity is null) <> (PricingUnit is null)'
     ' or (CommitmentDiscountQuantity is null) <> (CommitmentDiscountUnit is null)'),
    ('R10', 'ChargeClass is null and PricingQuantity is not null and (ListUnitPrice is not null or ContractedUnitPrice is not null)',
     'abs(ListCost - ' ~ decimal_product('PricingQuantity', 'ListUnitPrice') ~ ') > 0.00000001'
     ' or abs(ContractedCost - ' ~ decimal_product('PricingQuantity', 'ContractedUnitPrice') ~ ') > 0.00000001'),
    ('R11', 'ListUnitPrice is not null or ContractedUnitPrice is not null or PricingCurrencyListUnitPrice is not null'
     ' or PricingCurrencyContractedUnitPrice is not null',
     'ListUnitPrice < 0 or ContractedUnitPrice < 0 or PricingCurrencyListUnitPrice < 0 or PricingCurrencyContractedUnitPrice < 0'),
    ('R12', "(ChargeCategory in ('Tax', 'Credit') or (ChargeCategory in ('Usage', 'Purchase') and CommitmentDiscountId is null))"
     " and (PricingCurrency is null or PricingCurrency = BillingCurrency)"
     " and not (ChargeCategory = 'Purchase' and EffectiveCost = 0)",
     'EffectiveCost <> BilledCost'),
    ('R13', "CommitmentDiscountId is not null and (ChargeCategory = 'Purchase' or (ChargeCategory = 'Usage' and CommitmentDiscountStatus is not null))",
     "(ChargeCategory = 'Purchase' and EffectiveCost <> 0) or (ChargeCategory = 'Usage' and BilledCost <> 0)"),
    ('R14', 'CommitmentDiscountId is null and (PricingCurrency is null or PricingCurrency = BillingCurrency)'
     ' and (ListUnitPrice is null or ContractedUnitPrice is null)',
     '(ListUnitPrice is null and ListCost <> BilledCost) or (ContractedUnitPrice is null and ContractedCost <> BilledCost)'),
    ('R15', "ChargeCategory = 'Purchase'", "ChargeFrequency = 'Usage-Based'"),
    ('R16', 'CommitmentDiscountId is not null or CommitmentDiscountCategory is not null or CommitmentDiscountType is not null'
     ' or CommitmentDiscountStatus is not null',
     '(CommitmentDiscountId is null) <> (CommitmentDiscountCategory is null)'
     ' or (CommitmentDiscountId is null) <> (CommitmentDiscountType is null)'
     " or (ChargeCategory = 'Usage' and CommitmentDiscountId is not null and CommitmentDiscountStatus is null)"
     " or ((ChargeCategory = 'Purchase' or CommitmentDiscountStatus = 'Unused') and ResourceId is distinct from CommitmentDiscountId)"
     " or (ChargeCategory = 'Usage' and CommitmentDiscountStatus = 'Used' and PricingCategory <> 'Committed')"
     " or (ChargeCategory = 'Purchase' and PricingCategory = 'Committed')"),
    ('R17', 'true',
     '(RegionId is null) <> (RegionName is null) or (SubAccountId is null) <> (SubAccountName is null)'
     ' or (SubAccountId is null and SubAccountType is not null)'
     ' or (AllocatedResourceId is null) <> (AllocatedResourceName is null)'),
    ('R18', "CapacityReservationId is not null and ChargeCategory = 'Usage'", 'CapacityReservationStatus is null'),
    ('R19', 'true', unlisted | join(' or ') ~ ' or not is_listed_subcategory'),
    ('R20', 'true', placeholders | join(' or ')),
    ('R21', 'Tags is not null or AllocatedTags is not null or SkuPriceDetails is not null or AllocatedMethodDetails is not null'
     ' or ContractApplied is not null or CommitmentProgramEligibilityDetails is not null',
     broken_json | join(' or ')),
    ('R22', "x_NativeColumns is not null and x_FocusVersionIn <> 'native'",
     "regexp_extract(x_NativeColumns, '[{,] *\"([^x\"]|x[^_\"])[^\"]*\" *:', 0) <> ''"),
]) }}
{% endmacro %}

{#- The stream a charge came from: source, and its dataset where a source has several. -#}
{% macro charge_stream(alias) -%}
case when {{ alias }}.x_SourceId = 'files' then concat_ws('/', {{ alias }}.x_SourceId, {{ alias }}.x_Dataset) else {{ alias }}.x_SourceId end
{%- endmacro %}

{#- Rounding tolerance between an invoice and its charges: the larger of 100 subunits and half a subunit times sqrt(rows). -#}
{% macro invoice_tolerance(currency, row_count) -%}
greatest(cast(100 as double), 0.5 * sqrt({{ row_count }}))
* case when {{ currency }} in ('JPY', 'KRW', 'CLP', 'ISK', 'VND', 'XAF', 'XOF', 'PYG', 'UGX') then 1 else 0.01 end
{%- endmacro %}
