select v.subject, count(*) as n, max(v.pain) as worst from raw.visits as v group by v.subject
