"""The faults that benchmarks give to flawless photos: one name, one strength, in all of them."""

from __future__ import annotations

from pipelines.degradation.model import Factors

FAULTS = {
    "none": Factors(),
    "noise 5": Factors(read_noise=5 / 255),
    "noise 10": Factors(read_noise=10 / 255),
    "noise 25": Factors(read_noise=25 / 255),
    "JPEG q30": Factors(jpeg_quality=30),
    "JPEG q10": Factors(jpeg_quality=10),
    "Gaussian 1.5 px": Factors("gaussian", 1.5),
    "Gaussian 3 px": Factors("gaussian", 3),
    "motion 9 px": Factors("motion", 9, 30),
    "saturated": Factors(exposure=1.6, spill=0.4),
    "mixed": Factors("gaussian", 1, read_noise=6 / 255, jpeg_quality=40),
}
