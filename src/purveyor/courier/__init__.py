"""The courier: what a site publishes, and what its clients say, carried by hand on a stick where no line goes."""
