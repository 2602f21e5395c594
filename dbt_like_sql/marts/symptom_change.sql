-- One row a subject, later visit and outcome that has a value there and at baseline.
-- The change is one division of exact integers on a common scale, so that equal changes are equal numbers.
with scored as (
    select
        scores.subject_id,
        scores.visit_id,
        scores.outcome_id,
        scores.value_exact,
        scores.value_scale,
        scores.value,
        planned.is_baseline
    from {{ ref('symptom_scores') }} as scores
    join {{ source('study', 'visits') }} as planned on planned.visit_id = scores.visit_id
)

select
    post.subject_id,
    post.visit_id,
    post.outcome_id,
    base.value_exact as base_exact,
    base.value_scale as base_scale,
    base.value as base,
    post.value_exact as post_exact,
    post.value_scale as post_scale,
    post.value as post,
    case
        when post.value_scale = base.value_scale
            then (post.value_exact - base.value_exact) / post.value_scale
        else
            (cast(post.value_exact as hugeint) * base.value_scale - cast(base.value_exact as hugeint) * post.value_scale)
            / (cast(post.value_scale as hugeint) * base.value_scale)
    end as change
from scored as post
join scored as base
    on base.subject_id = post.subject_id
    and base.outcome_id = post.outcome_id
where base.is_baseline
    and not post.is_baseline
