select v.subject from raw.visits as v group by v.subject having min(v.fatigue) > 3
