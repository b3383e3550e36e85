"""Explanations made visible: HTML, terminal, Markdown, LaTeX, SVG and PNG, from the record alone (no torch)."""
