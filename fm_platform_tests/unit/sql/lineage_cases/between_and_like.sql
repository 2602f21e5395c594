select v.fatigue between s.day and 99 as inside, v.pain like '%' || v.visit as odd from raw.visits as v join study.visits as s on s.visit = v.visit
