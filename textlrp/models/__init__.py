"""The classifiers that textlrp trains: configurations, torch modules, checkpoints."""
