"""How bytes reach a box or a shelf: a folder, HTTP, a share, a bucket. Knows nothing of what the bytes mean."""
