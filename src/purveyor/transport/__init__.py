"""How bytes reach a box or a shelf: a folder, HTTP. Knows nothing of what the bytes mean."""
