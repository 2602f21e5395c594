"""Recomputes the numbers of a report from the CSV files beside it, without the program that made them."""
