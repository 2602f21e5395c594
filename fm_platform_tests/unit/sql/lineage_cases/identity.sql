select v.subject, v.pain as score from raw.visits as v
