select subject, v.pain, p.age from raw.visits as v join raw.participants as p using (subject)
