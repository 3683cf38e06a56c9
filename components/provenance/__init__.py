"""Where a model comes from: the chain from a version back to data, code and machine, and on to who let it serve."""
