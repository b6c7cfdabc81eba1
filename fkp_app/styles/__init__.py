"""Styles: pictures that a face can wear. Their files, their place on a face, blending, and a sheet of all of them."""
