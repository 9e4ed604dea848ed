"""The commands of ``trigger``: where each lives, and the line that describes it."""

from __future__ import annotations

from trigger.cli.groups import Entry, Group

COMMANDS: dict[str, Entry | Group] = {
    "score": Entry("trigger.commands.score", "Score photos: what would enhancement gain?"),
    "rank": Entry("trigger.commands.rank", "Rank folders of photos, best candidates first."),
    "enhance": Entry("pipelines.commands.enhance", "Enhance photos, if it helps.", "pipelines"),
    "enhancers": Group(
        "Enhancers: list them, convert others' networks.",
        {
            "list": Entry("pipelines.commands.enhancers", "List the enhancers.", "pipelines"),
            "convert": Entry(
                "pipelines.commands.enhancers",
                "Convert a TensorFlow.js model to a SavedModel.",
                "pipelines",
                "convert",
            ),
            "export": Entry(
                "pipelines.commands.enhancer_file",
                "Convert a trained network to an enhancer file.",
                "pipelines",
            ),
        },
    ),
    "upscale": Entry("pipelines.commands.upscale", "Make photos four times larger.", "realesrgan"),
    "degrade": Entry(
        "pipelines.commands.degrade", "Make degraded versions of photos.", "pipelines"
    ),
    "label": Entry("pipelines.commands.label", "Label photos with measured deltas.", "pipelines"),
    "labels": Group(
        "Labels: follow, look at and compact them.",
        {
            "status": Entry(
                "pipelines.commands.labels",
                "Show the progress of a labelling run.",
                "pipelines",
                "status",
            ),
            "report": Entry(
                "pipelines.commands.labels",
                "Write a page of labels to look at.",
                "pipelines",
                "report",
            ),
            "compact": Entry(
                "pipelines.commands.labels", "Merge small label files.", "pipelines", "compact"
            ),
        },
    ),
    "train": Entry("pipelines.commands.train", "Train a model on labels.", "pipelines"),
    "finetune": Entry("pipelines.commands.finetune", "Fit a model's head to ratings.", "pipelines"),
    "evaluate": Entry(
        "pipelines.commands.evaluate", "Compare a model's scores with ratings.", "pipelines"
    ),
    "export": Entry("export.commands.export", "Convert a model to TFLite and check it.", "export"),
    "pairs": Group(
        "Before/after pairs: choose them, print them on sheets.",
        {
            "make": Entry(
                "annotation.commands.pairs", "Choose pairs to rate.", "annotation", "make"
            ),
            "sheets": Entry(
                "annotation.commands.pairs",
                "Make blind sheets for raters without a browser.",
                "annotation",
                "sheets",
            ),
        },
    ),
    "annotate": Entry("annotation.commands.annotate", "Rate pairs in the browser.", "annotation"),
    "ratings": Group(
        "Ratings: summarize, export, import and aggregate them.",
        {
            name: Entry("annotation.commands.ratings", help, "annotation", function)
            for name, function, help in (
                ("summary", "summary", "Print counts, agreement and raters."),
                ("export", "export", "Write what was rated in the browser."),
                ("import", "import_", "Read other people's ratings."),
                ("aggregate", "aggregate", "Write one row per pair."),
            )
        },
    ),
    "derive-ratings": Entry(
        "pipelines.commands.derive_ratings", "Derive ratings from human scores.", "pipelines"
    ),
    "train-scorer": Entry(
        "pipelines.commands.train_scorer", "Train the quality scorer.", "pipelines"
    ),
    "train-enhancer": Entry(
        "pipelines.commands.train_enhancer", "Train a network to repair photos.", "pipelines"
    ),
    "packaged": Group(
        "Models that come with the project: rebuild them.",
        {
            "rebuild": Entry(
                "pipelines.commands.packaged", "Train and package a model again.", "pipelines"
            ),
        },
    ),
    "demo": Entry(
        "pipelines.commands.demo", "Run the whole chain on sample photographs.", "pipelines"
    ),
}
