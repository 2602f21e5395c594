select subject, n from (select subject, count(*) as n from raw.visits group by subject) where n > 1
