select v.subject, w.factor from raw.visits as v join (values ('a', 2), ('b', 3)) as w(visit, factor) on w.visit = v.visit
