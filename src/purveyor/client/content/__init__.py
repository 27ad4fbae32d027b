"""The content that this client holds: what is missing is fetched from points and verified, what is not needed makes room.

plan (pure) → fetch, speed (points) → held, which fulfils `cache`, the border to the Advertised Programs Manager
"""
