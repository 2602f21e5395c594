select v.subject, v.pain in ('1', '2') as mild, v.date is null as undated, v.pain between v.visit and v.date as odd from raw.visits as v
