select q."column" as "the column", q.rule from quarantine.visits as q
