select v.subject, max(v.fatigue) over w as worst from raw.visits as v window w as (partition by v.subject)
