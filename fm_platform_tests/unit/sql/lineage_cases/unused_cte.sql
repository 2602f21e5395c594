with spare as (select p.age from raw.participants as p) select v.subject from raw.visits as v
