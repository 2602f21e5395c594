with tired as (select v.subject, v.fatigue from raw.visits as v where v.visit = 'b'), final as (select * exclude (fatigue), fatigue + 1 as more from tired) select * from final
