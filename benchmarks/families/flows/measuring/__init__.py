"""What is measured of a trained flow: one module a problem, and the checks of exactness that all share."""
