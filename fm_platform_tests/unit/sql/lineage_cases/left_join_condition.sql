select v.subject, b.pain as before from raw.visits as v left join raw.visits as b on b.subject = v.subject and b.visit = 'baseline'
