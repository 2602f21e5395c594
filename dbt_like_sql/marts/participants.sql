-- One row a subject: who takes part, and how many of the planned visits took place.
with attended as (
    select
        v.subject_id,
        count(distinct v.visit_id) as n_visits
    from {{ ref('stg_visits') }} as v
    join {{ source('study', 'visits') }} as planned on planned.visit_id = v.visit_id
    where v.missing_reason is null
    group by v.subject_id
)

select
    s.subject_id,
    s.sex,
    s.age,
    s.arm,
    s.site,
    s.stratum,
    s.in_population,
    cast(coalesce(a.n_visits, 0) as integer) as n_visits
from {{ ref('stg_subjects') }} as s
left join attended as a on a.subject_id = s.subject_id
