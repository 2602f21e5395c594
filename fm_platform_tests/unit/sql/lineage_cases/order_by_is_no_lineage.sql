select v.subject from raw.visits as v order by v.pain
