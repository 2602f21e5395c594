"""What differs between two snapshots, and why.

Belongs here: comparing rows of published files, and tracing a difference to files, code, study.yaml or libraries.
Does not belong here: printing it.
"""
