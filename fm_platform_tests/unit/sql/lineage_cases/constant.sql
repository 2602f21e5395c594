select 'visits' as source, v.subject from raw.visits as v
