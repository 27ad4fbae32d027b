"""The agent's page on the loopback address: what is offered to the people at this machine, and what they ask for.

Standard library alone above the agent itself: no web framework, no template engine. Each request is answered from the state by
one reading; nothing is decided here that the next turn of the agent does not decide again.
"""
