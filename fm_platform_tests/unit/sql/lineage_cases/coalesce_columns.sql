select coalesce(v.pain, v.date) as any_text, nullif(v.visit, '') as visit from raw.visits as v
