with s(who, what) as (select v.subject, v.pain from raw.visits as v) select s.what, s.who from s
