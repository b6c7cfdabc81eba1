"""Styles, what a face can wear: their files, how a picture is placed on a face and blended, and a sheet of them all."""
