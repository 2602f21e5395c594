select distinct on (v.subject) v.subject, v.pain from raw.visits as v order by v.subject, v.date desc
