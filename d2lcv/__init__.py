"""Computer-vision helpers over four frameworks."""
