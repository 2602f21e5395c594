select {'who': v.subject, 'pain': v.pain} as packed from raw.visits as v
