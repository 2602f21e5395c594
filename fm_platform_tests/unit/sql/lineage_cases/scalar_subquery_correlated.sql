select p.subject, (select max(v.pain) from raw.visits as v where v.subject = p.subject) as worst from raw.participants as p
