"""study.yaml: what a study declares about its files, visits, outcomes and contrasts.

Belongs here: its shape and its consistency. Does not belong here: anything that reads the data those files hold.
"""
