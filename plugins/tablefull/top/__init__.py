"""`tablefull top`: who holds the connection tracking table. docs/top.md describes it."""
