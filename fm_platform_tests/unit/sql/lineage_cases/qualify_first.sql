select v.subject, v.pain from raw.visits as v qualify row_number() over (partition by v.subject order by v.date, v.visit) = 1
