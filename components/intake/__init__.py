"""Intake: what a new version of the data brings is compared with what was there, before anything learns from it."""

from components.intake.report import Checked, Intake, read_intake
from components.intake.step import Before, intake

__all__ = ["Before", "Checked", "Intake", "intake", "read_intake"]
