"""Points and shelves that are folders of this machine, mounted, or on a stick.

confined (one file below one folder, no link followed) → point, as clients use it, or shelf, as its owner does
"""
