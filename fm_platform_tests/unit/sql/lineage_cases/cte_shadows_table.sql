with visits as (select p.subject, p.sex from raw.participants as p) select visits.subject, visits.sex from visits
