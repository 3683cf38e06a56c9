"""Which models serve, and why: the policy, its gates, and the ledger of every decision, which is the truth that aliases follow."""
