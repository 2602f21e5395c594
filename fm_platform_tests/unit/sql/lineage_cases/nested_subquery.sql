select d.who from (select e.subject as who from (select v.subject, v.pain from raw.visits as v where v.pain <> '') as e) as d where d.who > 'S1'
