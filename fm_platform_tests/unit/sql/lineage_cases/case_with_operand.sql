select case v.visit when 'baseline' then 0 else v.fatigue end as later, if(v.pain = '', null, v.date) as dated from raw.visits as v
