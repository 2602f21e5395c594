select v.subject, string_agg(v.pain, ',' order by v.date) filter (where v.visit <> 'extra') as pains from raw.visits as v group by v.subject
