"""The mirror: a branch's copy of a CAP and its DP, made by whoever can read the source and write the target. Holds no key."""
