"""Who reaches what, with which limits, and why: one resolver for every question of the audit."""
