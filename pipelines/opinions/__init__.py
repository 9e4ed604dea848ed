"""Opinion data sets: photographs with human scores, brought to one scale.

Every reader returns opinions on NIMA's scale of 1 (worst) to 10 (best), with one anchor common
to all sets: a technically flawless photograph scores :data:`FLAWLESS`.
"""

FLAWLESS = 8.2
