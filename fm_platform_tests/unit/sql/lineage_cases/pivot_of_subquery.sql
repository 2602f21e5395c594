select p.subject, p.fiqr from (select s.subject, s.score, s.exact from staging.scores as s) as q pivot (sum(exact) for score in ('fiqr')) as p
