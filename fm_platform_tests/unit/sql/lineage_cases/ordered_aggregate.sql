select v.subject, list(v.pain order by v.date, v.visit) as pains from raw.visits as v group by v.subject
