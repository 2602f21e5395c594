"""A study's clinical and expression data: validated, analysed and traceable to the delivered line."""
