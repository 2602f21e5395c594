select v.subject, rank() over (partition by v.subject order by v.date) as nth from raw.visits as v
