select v.subject, v.pain from raw.visits as v union all by name select p.age, p.subject from raw.participants as p
