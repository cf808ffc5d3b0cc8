"""Who may do what: roles, conditions on assignments, and their evaluation."""
