-- One row a subject, parameter and planned visit with a value, in the layout of ADaM's basic data structure.
-- Parameters are all scores of the study's instruments and the plain columns that are outcomes. Change is one division
-- of exact integers. A later visit without a value, at which somebody has one, gets a row of its own with the last
-- value before it and DTYPE = 'LOCF': a sensitivity analysis, without ANL01FL. What is absent is asked by NOT EXISTS, so
-- that a carried row leads back to the row it was carried from (and the baseline) and to nothing else. SRCDOM, SRCVAR and
-- SRCSEQ name the staged record that the value was read from, for a carried row the one it was carried from.
with measured as (
    select
        variable,
        subject_id,
        visit_id,
        seq,
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

analysed as (
    select
        parameters.paramcd,
        parameters.param,
        parameters.paramn,
        scores.subject_id,
        scores.visit_id,
        scores.value_exact,
        scores.value_scale,
        'staging.stg_instrument_scores' as read_from,
        scores.seq
    from {{ source('study', 'parameters') }} as parameters
    join {{ source('staging', 'stg_instrument_scores') }} as scores on scores.score_id = parameters.score_id

    union all

    select
        parameters.paramcd,
        parameters.param,
        parameters.paramn,
        measures.subject_id,
        measures.visit_id,
        cast(split_part(measures.shown, '.', 1) || measures.decimals as bigint) as value_exact,
        cast(rpad('1', cast(1 + length(measures.decimals) as integer), '0') as bigint) as value_scale,
        'staging.stg_measures' as read_from,
        measures.seq
    from {{ source('study', 'parameters') }} as parameters
    join measured as measures on measures.variable = parameters.variable
),

planned as (
    select
        a.paramcd,
        a.param,
        a.paramn,
        a.subject_id,
        a.visit_id,
        a.value_exact,
        a.value_scale,
        a.read_from,
        a.seq,
        visits.label,
        visits.position,
        visits.is_baseline
    from analysed as a
    join {{ source('study', 'visits') }} as visits on visits.visit_id = a.visit_id
    where a.value_exact is not null
),

carried as (
    select
        before.paramcd,
        before.param,
        before.paramn,
        before.subject_id,
        visits.visit_id,
        before.value_exact,
        before.value_scale,
        before.read_from,
        before.seq,
        visits.label,
        visits.position
    from planned as before
    join {{ source('study', 'visits') }} as visits on visits.position > before.position
    where not visits.is_baseline
        and not exists (
            select 1
            from planned as own
            where own.subject_id = before.subject_id
                and own.paramcd = before.paramcd
                and own.position > before.position
                and own.position <= visits.position
        )
        and not exists (
            select 1
            from {{ source('study', 'visits') }} as unused
            where unused.visit_id = visits.visit_id
                and not exists (
                    select 1
                    from planned as anyone
                    where anyone.visit_id = unused.visit_id and anyone.paramcd = before.paramcd
                )
        )
),

shown as (
    select
        paramcd, param, paramn, subject_id, visit_id, visit_id as seen_at, value_exact, value_scale,
        read_from, seq, label, position, is_baseline
    from planned

    union all

    select
        paramcd, param, paramn, subject_id, visit_id, cast(null as varchar) as seen_at, value_exact, value_scale,
        read_from, seq, label, position, false as is_baseline
    from carried
)

select
    post.subject_id as USUBJID,
    post.paramcd as PARAMCD,
    post.param as PARAM,
    post.paramn as PARAMN,
    post.label as AVISIT,
    post.position as AVISITN,
    case when days.study_day > 0 then days.study_day else days.study_day - 1 end as ADY,
    post.value_exact / post.value_scale as AVAL,
    case when post.is_baseline then 'Y' end as ABLFL,
    base.value_exact / base.value_scale as BASE,
    case
        when not post.is_baseline then
            (cast(post.value_exact as hugeint) * base.value_scale - cast(base.value_exact as hugeint) * post.value_scale)
            / (cast(post.value_scale as hugeint) * base.value_scale)
    end as CHG,
    case
        when not post.is_baseline and base.value_exact <> 0 and post.value_scale = base.value_scale then
            100 * (cast(post.value_exact as hugeint) - base.value_exact) / base.value_exact
        when not post.is_baseline and base.value_exact <> 0 then
            100 * (cast(post.value_exact as hugeint) * base.value_scale - cast(base.value_exact as hugeint) * post.value_scale)
            / (cast(base.value_exact as hugeint) * post.value_scale)
    end as PCHG,
    case when post.seen_at is null then 'LOCF' end as DTYPE,
    case when post.seen_at is not null then 'Y' end as ANL01FL,
    post.read_from as SRCDOM,
    'value' as SRCVAR,
    post.seq as SRCSEQ
from shown as post
left join planned as base
    on base.subject_id = post.subject_id
    and base.paramcd = post.paramcd
    and base.is_baseline
left join {{ ref('stg_visit_schedule') }} as days
    on days.subject_id = post.subject_id
    and days.visit_id = post.seen_at
