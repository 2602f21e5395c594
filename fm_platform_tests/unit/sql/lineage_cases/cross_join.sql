select v.subject, s.day from raw.visits as v cross join study.visits as s
