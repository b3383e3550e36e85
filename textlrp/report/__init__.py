"""A report on a model and a data set: one streaming pass, figures, and one self-contained page."""
