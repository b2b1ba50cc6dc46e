"""What is measured of a model or its samples."""
