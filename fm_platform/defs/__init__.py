"""The Dagster layer: assets, checks, jobs, schedules, sensors, made from the catalog.

Belongs here: translating the catalog into Dagster's terms and back. Does not belong here: any computing, any SQL, any
decision about staleness.
"""
