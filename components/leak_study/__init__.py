"""What a leak is worth: how much better the same model looks on the same images once it has seen others of their lesions."""

from components.leak_study.scores import LeakStudyParams
from components.leak_study.step import study_leak

__all__ = ["LeakStudyParams", "study_leak"]
