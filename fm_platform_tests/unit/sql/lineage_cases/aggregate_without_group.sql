select sum(v.fatigue) as total, count(*) as n from raw.visits as v
