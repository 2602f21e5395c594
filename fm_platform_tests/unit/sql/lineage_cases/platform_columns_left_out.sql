select v.subject from raw.visits as v where v._row_id not in (select q._row_id from quarantine.visits as q where q.scope = 'row')
