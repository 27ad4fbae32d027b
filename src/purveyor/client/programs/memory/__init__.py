"""What is remembered of programs on this machine: jobs, histories, receipts, and what users asked for."""
