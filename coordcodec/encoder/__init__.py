"""A signal becomes a file: the plan, the fit of each layer, the size or score that is met."""
