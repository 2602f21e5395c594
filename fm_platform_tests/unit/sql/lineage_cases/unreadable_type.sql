select v.at as moment, epoch_ns(v.at) as ns from raw.visits as v
