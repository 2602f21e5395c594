select subject, p.arm from raw.visits as v full join raw.participants as p using (subject)
