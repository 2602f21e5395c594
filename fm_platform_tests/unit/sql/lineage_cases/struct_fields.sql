select v.scan.id as scan_id, v.scan.size.mm as mm, struct_extract(v.scan, 'id') as same from raw.visits as v
