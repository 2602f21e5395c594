"""Files in: delimited text and count matrices become frames whose every row has an id and a line.

Belongs here: reading what was delivered, exactly as delivered, and refusing files of the wrong shape. Does
not belong here: what a value means, whether it is plausible, or where it is stored in the warehouse.
"""
