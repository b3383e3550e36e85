"""The audit: words that carry decisions and should not, each with the effect of deleting it everywhere."""

from __future__ import annotations

from textlrp.audit.record import Audit, Cluster, Duplicates, Effect, Finding, KindEffect
from textlrp.audit.run import audit

__all__ = ["Audit", "Cluster", "Duplicates", "Effect", "Finding", "KindEffect", "audit"]
