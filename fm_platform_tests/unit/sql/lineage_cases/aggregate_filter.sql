select v.subject, count(v.pain) filter (where v.visit <> 'extra') as n from raw.visits as v group by v.subject
