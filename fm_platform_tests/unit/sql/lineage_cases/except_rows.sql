select v.subject from raw.visits as v except select p.subject from raw.participants as p where p.arm = 'a'
