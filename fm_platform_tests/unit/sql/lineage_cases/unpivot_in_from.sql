select u.subject, u.item, u.answer from (select v.subject, v.pain, v.date from raw.visits as v) as q unpivot (answer for item in (pain, date)) as u
