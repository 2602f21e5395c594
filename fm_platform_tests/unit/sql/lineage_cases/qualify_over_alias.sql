select v.subject, v.date, rank() over (partition by v.subject order by v.date) as r from raw.visits as v qualify r = 1
