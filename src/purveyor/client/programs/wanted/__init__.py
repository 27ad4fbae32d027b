"""What is to run here, when and for whom: read from policy, memory, sessions and wishes; nothing is started here."""
