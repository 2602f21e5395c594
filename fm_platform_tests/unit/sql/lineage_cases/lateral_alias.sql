select v.subject, try_cast(v.pain as integer) as pain_n, pain_n * 10 as tenfold, case when tenfold > 50 then 'high' end as label from raw.visits as v
