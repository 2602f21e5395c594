select p.subject, p.fiqr, p.sss from staging.scores as s pivot (max(exact) for score in ('fiqr', 'sss') group by subject) as p
