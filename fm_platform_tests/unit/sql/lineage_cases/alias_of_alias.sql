select v.fatigue * 2 as twice, twice + 1 as more from raw.visits as v where more > 3
