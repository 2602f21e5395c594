select case when v.visit = 'baseline' then v.pain else v.date end as mixed from raw.visits as v
