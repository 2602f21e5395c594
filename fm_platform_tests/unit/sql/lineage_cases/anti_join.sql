select v.subject from raw.visits as v anti join raw.participants as p on p.subject = v.subject
