"""The commands of ``fm``, a module for each occasion on which they are used.

Belongs here: options, printing, and the call of one function of a lower room. Does not belong here: that function.
"""
