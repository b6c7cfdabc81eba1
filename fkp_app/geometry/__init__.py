"""Face squares, boxes, the maps between an image and a crop, and the numbering of the 68 points."""
