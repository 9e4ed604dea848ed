"""``trigger degrade``: write degraded versions of photos."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipelines.data.provenance import RECORD
from pipelines.degradation import KINDS
from pipelines.degradation.folder import ALL_KINDS, AnyKind, degrade_photos
from trigger.cli.options import LOCAL_PATH, POSITIVE, SEED
from trigger.console.terminal import counted
from trigger.errors import OptionError

EPILOG = f"""The same seed gives the same files; a folder that holds degraded photos already
gains the new ones, those of another seed too. The applied factors are recorded in OUT/{RECORD},
with the scene each version belongs to.

Exit codes: 0 done, photos that could not be read are named; 1 none could be read (or an error);
2 wrong usage.

\b
Examples:
  trigger degrade clean --out degraded --versions 2
  trigger degrade clean --out negatives --kinds thumbnail,text,plain
"""


class _Kinds(click.ParamType[tuple[AnyKind, ...]]):
    """Kinds of degradations, separated by commas."""

    name = "kinds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[AnyKind, ...]:
        """Split the option's text, and check each kind."""
        known = {str(kind): kind for kind in ALL_KINDS}
        words = str(value).split(",")
        for word in words:
            if word not in known:
                self.fail(
                    f"{word!r} is unknown; give some of {','.join(known)}, separated by commas",
                    param,
                    ctx,
                )
        return tuple(known[word] for word in dict.fromkeys(words))


@click.command(epilog=EPILOG)
@click.argument("photos", nargs=-1, required=True, type=LOCAL_PATH, metavar="PHOTOS...")
@click.option("--out", type=LOCAL_PATH, required=True, help="Folder for the degraded photos.")
@click.option(
    "--kinds",
    type=_Kinds(),
    metavar="KIND,...",
    default=",".join(KINDS),
    show_default=True,
    help=f"Which degradations, of {', '.join(ALL_KINDS)}. 'none' copies the photo as it is; "
    "thumbnail, text and plain are hard negatives: pictures that look faulty though enhancement "
    "cannot improve them. camera is what phones make: defocus, shake, noise behind a mosaic, "
    "denoising, sharpening and JPEG.",
)
@click.option(
    "--versions",
    type=POSITIVE,
    default=1,
    show_default=True,
    help="Versions of each kind but 'none', per photo.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the random strengths.")
def command(
    photos: tuple[Path, ...], out: Path, kinds: tuple[AnyKind, ...], versions: int, seed: int
) -> None:
    """Write degraded versions of PHOTOS, flawless photos or folders of them.

    A version is v = C(S(u * k) + n) with blur k, sensor saturation S, noise n and JPEG
    compression C, in random strengths; the kind camera works in linear light instead.
    """
    for photo in photos:
        if str(photo) in ALL_KINDS and not photo.exists():
            raise OptionError(
                f"{photo}: no such photo; separate kinds by commas, as in --kinds noise,{photo}"
            )
    made = degrade_photos(
        photos, out, kinds=kinds, versions=versions, seed=seed, show_progress=True
    )
    sys.stdout.write(
        f"made {counted(made.photos, 'photo')} of {counted(made.scenes, 'scene')} in {out}; "
        f"{made.rejected} could not be read\n"
    )
