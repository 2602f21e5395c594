select distinct v.subject, v.visit from raw.visits as v
