"""Audit: what of a dataset would flatter or mislead a model, said before anything is trained; and the data card."""

from components.audit.findings import Finding, Findings, Severity
from components.audit.step import audit

__all__ = ["Finding", "Findings", "Severity", "audit"]
