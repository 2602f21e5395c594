select v.subject || '/' || v.visit as id, cast(v.pain as integer) as pain from raw.visits as v
