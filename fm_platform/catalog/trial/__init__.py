"""What really changes when delivered rows are absent or corrected: what rests on them, made again in memory."""
