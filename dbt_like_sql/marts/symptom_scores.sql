-- One row a subject, planned visit and outcome that has a value there: instrument scores and plain columns alike.
-- Values are exact: value_exact / value_scale, with six decimals or as many as the number has. Only the rows that supply a value are joined, so that a value's
-- provenance is these rows and nothing else; who the subject is stands in participants.
with measured as (
    select
        variable,
        subject_id,
        visit_id,
        cast(value as varchar) as shown,
        rpad(
            rtrim(split_part(cast(value as varchar), '.', 2), '0'),
            cast(
                greatest(
                    case when abs(value) < 1000000000000 then 6 else 0 end,
                    length(rtrim(split_part(cast(value as varchar), '.', 2), '0'))
                ) as integer
            ),
            '0'
        ) as decimals
    from {{ ref('stg_measures') }}
),

given as (
    select
        o.outcome_id,
        scores.subject_id,
        scores.visit_id,
        scores.value_exact,
        scores.value_scale
    from {{ source('study', 'outcomes') }} as o
    join {{ source('staging', 'stg_instrument_scores') }} as scores on scores.score_id = o.score_id

    union all

    select
        o.outcome_id,
        measures.subject_id,
        measures.visit_id,
        cast(split_part(measures.shown, '.', 1) || measures.decimals as bigint) as value_exact,
        cast(rpad('1', cast(1 + length(measures.decimals) as integer), '0') as bigint) as value_scale
    from {{ source('study', 'outcomes') }} as o
    join measured as measures on measures.variable = o.variable
)

select
    g.subject_id,
    g.visit_id,
    g.outcome_id,
    g.value_exact,
    g.value_scale,
    g.value_exact / g.value_scale as value
from given as g
join {{ source('study', 'visits') }} as planned on planned.visit_id = g.visit_id
where g.value_exact is not null
