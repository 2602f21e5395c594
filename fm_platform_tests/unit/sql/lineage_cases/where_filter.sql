select v.subject from raw.visits as v where v.pain <> '' and v.visit = 'week_4'
