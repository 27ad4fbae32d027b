"""Points over HTTP and HTTPS, from both sides.

Asking:  answers, heads, reasons, pinned → point
Serving: valve (how much at a time) → serving (tags, ranges, pieces), for the servers of boxes and of content
"""
