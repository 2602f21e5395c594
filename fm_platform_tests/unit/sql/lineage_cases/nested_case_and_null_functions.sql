select v.subject, nullif(ifnull(v.pain, v.date), '') as a, greatest(v.pain, v.visit) as b, if(v.date = '', v.pain, null) as c from raw.visits as v
