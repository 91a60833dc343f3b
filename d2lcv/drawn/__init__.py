"""The studio: pictures that the package draws itself, with Pillow and NumPy only."""
