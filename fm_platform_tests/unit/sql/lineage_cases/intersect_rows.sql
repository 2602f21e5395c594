select v.subject, v.visit from raw.visits as v intersect select s.subject, s.visit from staging.scores as s
