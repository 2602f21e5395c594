select v.subject from raw.visits as v union select p.subject from raw.participants as p
