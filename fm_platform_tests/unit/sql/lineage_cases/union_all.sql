select v.subject, v.pain as value from raw.visits as v union all select p.subject, p.age from raw.participants as p where p.arm = 'a'
