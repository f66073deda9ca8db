"""A command that sees headers mounted: one kernel's, or each of several."""
