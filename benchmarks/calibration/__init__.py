"""The constants of `fkp_app` that are fitted to data: where a face lies in its Haar box, what a search keeps, and how
sure a face is. Run these again when the cascades, the shipped weights or the data change, and copy what they print.
"""
