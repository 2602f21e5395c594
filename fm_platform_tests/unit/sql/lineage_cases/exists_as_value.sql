select p.subject, exists (select * from raw.visits as v where v.subject = p.subject and v.fatigue > 5) as tired from raw.participants as p
