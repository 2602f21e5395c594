select v.subject, v.pain from raw.visits as v where v.visit in (select s.visit from study.visits as s where s.is_baseline)
