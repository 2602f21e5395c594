"""Where instruments come from: the library of this package, or a YAML file of the study folder.

Belongs here: finding, reading and checking instrument files, and a study's instruments against its outcomes.
Does not belong here: scoring, or anything that knows the study's data.
"""

from __future__ import annotations

from pathlib import Path

from fm_platform.errors import InputError
from fm_platform.instruments.consistency import check_instrument, nearest
from fm_platform.instruments.model import Instrument
from fm_platform.study.model import Study
from fm_platform.yaml_lines import parse_model, read_yaml

LIBRARY = Path(__file__).parent / "library"


def library_ids() -> tuple[str, ...]:
    """The ids of the instruments that ship with the platform, sorted."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.yaml")))


def load_instrument(use: str, study_folder: Path | None = None) -> Instrument:
    """Read one instrument.

    Args:
        use: A library id such as ``fiqr``, or the path of a ``.yaml`` file inside the study folder.
        study_folder: The folder that such a path is relative to.

    Raises:
        InputError: Unknown id, a path outside the folder, or a file that is malformed or contradicts itself;
            errors within a file name its line.
    """
    path = _path_of(use, study_folder)
    display = f"library/{path.name}" if path.parent == LIBRARY else str(path)
    document = read_yaml(path, display=display)
    instrument = parse_model(document, Instrument, display=display)

    def complain(message: str, *key_path: str | int, mend: str) -> InputError:
        return InputError(message, file=display, line=document.line_of(*key_path), mend=mend)

    check_instrument(instrument, complain)
    return instrument


def load_instruments(study: Study) -> tuple[Instrument, ...]:
    """Read every instrument of a study, in declared order, and check the study's outcomes against them.

    Raises:
        InputError: As :func:`load_instrument`; or an instrument is used twice, or an outcome names an unknown
            score. Errors name the line of study.yaml or of the instrument file.
    """
    instruments: list[Instrument] = []
    for index, use in enumerate(study.instruments):
        try:
            instrument = load_instrument(use.use, study.folder)
        except InputError as error:
            if error.file is not None and error.line is not None:
                raise
            raise study.error(
                error.message, "instruments", index, "use", mend=error.mend or "correct it"
            ) from None
        if instrument.id in {other.id for other in instruments}:
            raise study.error(
                f"instrument {instrument.id} is used twice",
                "instruments",
                index,
                "use",
                mend="bring its answers into one source, or give a copy of the file its own id",
            )
        instruments.append(instrument)
    known = [score_id for instrument in instruments for score_id in instrument.score_ids]
    for index, outcome in enumerate(study.outcomes):
        if outcome.score is not None and outcome.score not in known:
            raise study.error(
                f"outcome {outcome.id}: no declared instrument has a score {outcome.score!r}",
                "outcomes",
                index,
                "score",
                mend=nearest(outcome.score, known),
            )
    return tuple(instruments)


def _path_of(use: str, study_folder: Path | None) -> Path:
    if not use.endswith((".yaml", ".yml")):
        if use not in library_ids():
            raise InputError(
                f"no instrument named {use!r}",
                mend=f"{nearest(use, library_ids())} Or give the path of your own .yaml file",
            )
        return LIBRARY / f"{use}.yaml"
    if study_folder is None:
        raise InputError(f"instrument file {use} needs a study folder", mend="name the study folder")
    path = study_folder / use
    if not path.resolve().is_relative_to(study_folder.resolve()):
        raise InputError(
            f"instrument file {use} lies outside the study folder", mend="copy it into the study folder"
        )
    if not path.is_file():
        raise InputError(
            f"instrument file {use} does not exist", mend=f"put it at {path}, or correct the path"
        )
    return path
