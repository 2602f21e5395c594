with seen as (select distinct s.subject from staging.scores as s) select p.subject from raw.participants as p anti join seen on seen.subject = p.subject
