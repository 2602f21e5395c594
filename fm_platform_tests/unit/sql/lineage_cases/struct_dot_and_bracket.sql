select v.scan.size.mm as mm, v.scan['id'] as id, v.tags[1] as first_tag, [v.pain, v.date] as both from raw.visits as v
