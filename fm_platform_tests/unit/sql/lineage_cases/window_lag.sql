select v.subject, v.pain, lag(v.pain) over (partition by v.subject order by v.date, v.visit) as before from raw.visits as v
