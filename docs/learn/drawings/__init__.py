"""What the figures of docs/learn show: `python docs/learn/make_figures.py` draws them all."""
