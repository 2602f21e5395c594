select v.subject, sum(case when v.visit = 'week_4' then v.fatigue else 0 end) as total from raw.visits as v group by v.subject
