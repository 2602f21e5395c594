select v.subject, p.sex from raw.visits as v join raw.participants as p on p.subject = v.subject
