"""Who may do what: roles, assignments, access policies, and the decision."""
