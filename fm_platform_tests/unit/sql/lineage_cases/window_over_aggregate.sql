select v.subject, sum(v.fatigue) as total, sum(sum(v.fatigue)) over () as grand from raw.visits as v group by v.subject
