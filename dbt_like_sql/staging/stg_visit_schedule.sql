-- One row a subject and planned visit that took place: its study day, and whether that lies in the planned window.
-- Days count from the subject's own baseline, which stands on the day that study.yaml gives it. Without dates, days
-- or windows in the study the columns are null.
with taken as (
    select
        v.subject_id,
        v.visit_id,
        min(v.visit_date) as visit_date
    from {{ ref('stg_visits') }} as v
    where v.missing_reason is null
    group by v.subject_id, v.visit_id
),

planned as (
    select
        taken.subject_id,
        taken.visit_id,
        taken.visit_date,
        plan.day,
        plan.is_baseline,
        plan.window_low,
        plan.window_high
    from taken
    join {{ source('study', 'visits') }} as plan on plan.visit_id = taken.visit_id
),

dated as (
    select
        p.subject_id,
        p.visit_id,
        p.visit_date,
        base.visit_date as baseline_date,
        cast(date_diff('day', base.visit_date, p.visit_date) + base.day as integer) as study_day,
        p.window_low,
        p.window_high
    from planned as p
    left join planned as base on base.subject_id = p.subject_id and base.is_baseline
)

select
    subject_id,
    visit_id,
    visit_date,
    baseline_date,
    study_day,
    study_day between window_low and window_high as in_window
from dated
