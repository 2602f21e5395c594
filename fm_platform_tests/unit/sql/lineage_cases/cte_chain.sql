with a as (select v.subject, v.fatigue + 1 as f from raw.visits as v where v.visit = 'week_4'), b as (select a.subject, max(a.f) as m from a group by a.subject) select b.subject, b.m as most from b
