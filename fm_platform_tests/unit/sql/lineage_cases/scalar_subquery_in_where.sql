select v.subject, v.pain from raw.visits as v where v.pain > (select min(s.score) from staging.scores as s where s.visit = v.visit)
