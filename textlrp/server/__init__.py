"""The live page, a review coloured while it is typed, and the JSON endpoint behind it: `pip install textlrp[serve]`."""
