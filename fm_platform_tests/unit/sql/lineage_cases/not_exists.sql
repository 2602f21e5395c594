select p.sex from raw.participants as p where not exists (select 1 from raw.visits as v where v.subject = p.subject)
