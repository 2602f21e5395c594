select list_transform(v.tags, lambda t: t || v.visit) as marked, len(v.tags) as n, [x for x in v.tags if x <> 'a'] as kept from raw.visits as v
