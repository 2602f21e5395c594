select v.subject, coalesce(v.pain, '0') as pain_text from raw.visits as v where pain_text <> '0'
