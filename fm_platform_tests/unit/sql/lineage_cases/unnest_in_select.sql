select v.subject, unnest(v.tags) as tag from raw.visits as v
