select d.subject from (select v.subject, row_number() over (partition by v.subject order by v.date) as rn from raw.visits as v) as d where d.rn = 1
