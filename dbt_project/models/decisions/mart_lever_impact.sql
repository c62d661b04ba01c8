with people as (
    select person_id, display_name from {{ ref('dim_person') }}
    qualify row_number() over (partition by person_id order by valid_from desc) = 1
)

select
    impact.promotion_id, impact.lever_set, impact.workflow, impact.promoted_on, impact.days_before, impact.days_after,
    impact.cost_after, impact.counterfactual_cost, impact.realised_saving, impact.realised_saving_share,
    impact.expected_saving_share, impact.realised_over_expected, impact.cost_per_call, impact.cost_per_call_drift,
    impact.baseline_cost_per_success, impact.cost_per_success, impact.days_above_baseline, impact.success_difference,
    impact.success_lower, impact.success_upper, impact.overdispersion, impact.applied_share, impact.state, impact.reason,
    impact.owner, cast(coalesce(people.display_name, impact.owner) as string) as owner_name, impact.as_of, impact.run_id,
    impact.config_hash
from {{ source('raw', 'lever_impact') }} as impact
left join people on people.person_id = impact.owner
