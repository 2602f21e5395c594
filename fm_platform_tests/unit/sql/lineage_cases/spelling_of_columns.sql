select v.fatigue as FATIGUE, v.SUBJECT as subject from raw.visits as v
