"""Commands that print what a layer, an optimizer or a network computes: one module for each, and what they share.

text_grids         arrays as columns of text
face_picture, png  faces and arrays as pictures
named_networks     the networks that commands take by name
"""
