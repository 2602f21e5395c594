select upper(v.subject) as id, v.visit as at_visit, count(v.pain) as n from raw.visits as v group by 1, at_visit
