"""What the site says, as far as it can be believed: a poll, a walk through the metadata, conclusions, and the `Policy` they make.

    poll (two conditional reads) → walk (only what metadata leads to) → conclude (pure) → view (state → Policy)

Upstream are the down boxes; downstream is `programs`, by way of `state`. Absence is never removal.
"""
