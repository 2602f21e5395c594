-- One row a subject, in the layout of ADaM's subject-level data set.
select
    p.subject_id as USUBJID,
    p.age as AGE,
    p.sex as SEX,
    p.arm as ARM,
    p.site as SITEID,
    p.stratum as STRAT1,
    case when p.in_population then 'Y' else 'N' end as POPFL,
    p.n_visits as NVISITS
from {{ ref('participants') }} as p
