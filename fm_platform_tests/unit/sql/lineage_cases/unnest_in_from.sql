select v.subject, u.tag from raw.visits as v, unnest(v.tags) as u(tag)
