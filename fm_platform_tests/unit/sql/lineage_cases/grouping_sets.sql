select v.subject, v.visit, count(*) as n from raw.visits as v group by grouping sets ((v.subject), (v.visit))
