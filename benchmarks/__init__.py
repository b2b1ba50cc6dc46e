"""What is compared, and the machinery that compares; stages import domain modules, never the reverse."""
