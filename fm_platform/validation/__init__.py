"""Study against data: declared columns, the rules, the gate, and the SQL that types accepted rows.

Belongs here: rules, quarantine, Great Expectations suites, the generated staging models. Does not belong
here: reading files, scoring, or anything that knows Dagster.
"""
