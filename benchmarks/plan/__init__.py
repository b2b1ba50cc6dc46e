"""What shall run: profiles, and the pipelines composed of them."""
