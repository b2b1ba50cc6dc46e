"""Networks whose features stand for images when sets of images are compared."""
