select v.subject, c.label from raw.visits as v join (values ('week_4', 'Week 4')) as c(visit, label) on c.visit = v.visit
