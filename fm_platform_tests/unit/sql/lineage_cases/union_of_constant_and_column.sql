select 'visits' as source, v.subject from raw.visits as v union all select p.arm, p.subject from raw.participants as p
