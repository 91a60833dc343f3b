"""What makes four columns one: the oracle, the cases, and the matrix of all backends."""
