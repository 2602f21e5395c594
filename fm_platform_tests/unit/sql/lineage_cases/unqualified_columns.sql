select subject, pain as score from raw.visits
