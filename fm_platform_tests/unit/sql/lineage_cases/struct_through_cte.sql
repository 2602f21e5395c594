with s as (select struct_pack(a := v.subject, b := v.pain) as st from raw.visits as v) select s.st.a as a from s
