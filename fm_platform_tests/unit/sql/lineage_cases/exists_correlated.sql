select v.subject from raw.visits as v where exists (select 1 from raw.participants as p where p.subject = v.subject and p.arm = 'a')
