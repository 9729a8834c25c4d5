"""Every setting of a training run, one frozen dataclass per concern, without torch.

The command line makes a flag of every field and the TOML file of `--config` a key; the
sections of the file are the attributes of `TrainConfig`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mgpt_tui import reading
from mgpt_tui.errors import UserError
from mgpt_tui.model.config import SHAPES, GPTConfig
from mgpt_tui.paths import expanded
from mgpt_tui.settings_fields import arguments_from, declared, setting, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """The shape to train: a preset, and what differs from it."""

    preset: str = setting("small", "named shape of the model", choices=tuple(SHAPES))
    n_layer: int | None = setting(None, "transformer blocks, instead of the preset's", minimum=1)
    n_head: int | None = setting(None, "attention heads, instead of the preset's", minimum=1)
    n_embd: int | None = setting(None, "width, instead of the preset's", minimum=1)
    block_size: int | None = setting(None, "context, instead of the preset's", minimum=2)
    bias: bool | None = setting(None, "biases in layers and norms, instead of the preset's")
    dropout: float | None = setting(
        None, "dropout, instead of the preset's", minimum=0, maximum=0.99
    )
    attention_dropout: float | None = setting(
        None, "dropout of attention weights, where it differs", minimum=0, maximum=0.99
    )
    dropout_form: str = setting(
        "element",
        "what is dropped: single activations, or a channel of a whole sequence",
        choices=("element", "channel"),
    )
    dropout_after: float = setting(
        0.0, "share of --max-steps that goes by before dropout begins", minimum=0, maximum=1
    )

    def __post_init__(self) -> None:
        validate(self)

    @property
    def has_preset(self) -> bool:
        """Whether the preset decides on anything: a model to begin with gives the whole shape."""
        own = (self.n_layer, self.n_head, self.n_embd, self.block_size, self.bias, self.dropout)
        return None in own

    def gpt_config(self, vocab_size: int) -> GPTConfig:
        """The model's config for a vocabulary of `vocab_size` entries."""
        shape = {field.name for field in fields(GPTConfig)}
        own = {name: value for name, value in asdict(self).items() if name in shape}
        changes = {name: value for name, value in own.items() if value is not None}
        return replace(SHAPES[self.preset], vocab_size=vocab_size, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """What one optimizer step reads."""

    batch_size: int = setting(64, "sequences that are read at once", minimum=1, maximum=65536)
    grad_accumulation: int = setting(
        1, "batches whose gradients are added up before a step", minimum=1, maximum=65536
    )
    story_starts: float = setting(
        0.0,
        "share of sequences moved back to the beginning of their story",
        minimum=0,
        maximum=1,
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """How gradients change weights."""

    optimizer: str = setting(
        "adamw", "AdamW for all, or Muon for the matrices in the blocks", choices=("adamw", "muon")
    )
    learning_rate: float = setting(
        3e-4, "peak learning rate of AdamW; up to a width of 64 0.003", minimum=0
    )
    matrix_learning_rate: float = setting(4e-3, "peak learning rate of Muon", minimum=0)
    weight_decay: float = setting(0.1, "decay of matrices; norms and biases have none", minimum=0)
    beta1: float = setting(
        0.9, "decay rate of AdamW's mean of the gradient", minimum=0, maximum=0.9999
    )
    beta2: float = setting(
        0.95, "decay rate of AdamW's mean of its square", minimum=0, maximum=0.99999
    )
    grad_clip: float = setting(0.5, "largest norm of the gradient", minimum=0, note="0 is off")
    average: int | None = setting(
        None,
        "steps that a mean of the weights reaches back; it is evaluated and saved, not they",
        minimum=1,
        off="off",
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSettings:
    """How long to train, and how the learning rate goes up and down."""

    max_steps: int = setting(5000, "optimizer steps", minimum=1)
    warmup_steps: int = setting(
        100,
        "steps over which the learning rate rises; a tenth of a run of fewer than 1,000",
        minimum=0,
    )
    decay: str = setting(
        "cosine", "shape of the learning rate's decay", choices=("cosine", "linear")
    )
    decay_share: float = setting(
        1.0, "last share of the run over which it decays", minimum=0, maximum=1
    )
    final_ratio: float = setting(
        0.1, "learning rate at the end, as a share of the peak", minimum=0, maximum=1
    )
    patience: int | None = setting(
        None,
        "evaluations without a better one after which the run ends early",
        minimum=1,
        off="off",
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachingSettings:
    """Models to learn from beside the text."""

    teachers: str | None = setting(
        None, "models to learn from as well, with commas in between", off="none"
    )
    teacher_share: float = setting(
        0.8,
        "share of the loss that follows the mean of the teachers' probabilities",
        minimum=0,
        maximum=1,
        note="0 is the text alone",
    )
    teacher_temperature: float = setting(
        1.0, "divides the teachers' logits: above 1 they are less sure", minimum=0.1, maximum=10
    )

    def __post_init__(self) -> None:
        validate(self)
        if "" in self.names or len(set(self.names)) < len(self.names):
            raise UserError(
                f"teachers cannot be {self.teachers!r}.",
                "Give --teachers different models, with one comma between each two.",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The teachers, each as `--model` takes it."""
        if self.teachers is None:
            return ()
        return tuple(name.strip() for name in self.teachers.split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSettings:
    """Where and how exactly to compute."""

    device: str = setting("auto", "processor to train on", choices=("auto", "cpu", "cuda", "mps"))
    dtype: str = setting(
        "auto",
        "precision of the products; auto takes bf16 only where it is faster",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    compile: bool = setting(False, "compile the model with torch.compile")
    seed: int = setting(1337, "seed of weights, order and dropout", minimum=0, maximum=2**63 - 1)

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """When to look at the model and what to keep."""

    log_every: int = setting(100, "steps between lines of the log", minimum=1)
    eval_every: int = setting(500, "steps between evaluations and checkpoints", minimum=1)
    eval_stories: int | None = setting(
        200, "held-out stories that an evaluation scores", minimum=1, off="all"
    )
    keep: int | None = setting(
        2, "newest checkpoints to keep, beside the best", minimum=1, off="all"
    )
    sample_prompt: str = setting("Once upon a time", "beginning of the sample at each evaluation")
    sample_tokens: int = setting(
        60, "length of that sample, in tokens", minimum=0, maximum=100_000, note="0 is none"
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """All settings of a run, by concern."""

    model: ModelSettings = field(default_factory=ModelSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    teaching: TeachingSettings = field(default_factory=TeachingSettings)
    machine: MachineSettings = field(default_factory=MachineSettings)
    report: ReportSettings = field(default_factory=ReportSettings)

    def updated(self, values: dict[str, Any]) -> TrainConfig:
        """A copy with flat settings (`{"max_steps": 10}`) put into their sections.

        Raises:
            UserError: for an unknown name or a value that is not allowed.
        """
        changes: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            section = SECTION_OF.get(name)
            if section is None:
                raise UserError(f"There is no training setting {name!r}.", _nearest(name))
            changes.setdefault(section, {})[name] = value
        return replace(
            self,
            **{
                section: replace(getattr(self, section), **part)
                for section, part in changes.items()
            },
        )

    def check_used(self, values: dict[str, Any]) -> None:
        """Refuse settings that say nothing without another one.

        Args:
            values: those given.

        Raises:
            UserError: where there is one.
        """
        idle = [name for name in values if SECTION_OF[name] == "teaching" and name != "teachers"]
        if idle and not self.teaching.names:
            raise UserError(
                f"--{idle[0].replace('_', '-')} is about models to learn from.",
                "Give --teachers, too, or leave it out.",
            )

    def flat(self) -> dict[str, Any]:
        """Every setting by name, as JSON values; the inverse of `updated`."""
        return {name: value for part in asdict(self).values() for name, value in part.items()}


SECTIONS: dict[str, type] = {
    "model": ModelSettings,
    "batch": BatchSettings,
    "optimizer": OptimizerSettings,
    "schedule": ScheduleSettings,
    "teaching": TeachingSettings,
    "machine": MachineSettings,
    "report": ReportSettings,
}
SECTION_OF: dict[str, str] = {
    entry.name: section
    for section, config_class in SECTIONS.items()
    for entry in declared(config_class)
}
assert list(SECTIONS) == [entry.name for entry in fields(TrainConfig)]


NARROW = SHAPES["tiny"].n_embd
OF_NARROW: dict[str, Any] = {"learning_rate": 3e-3}
"""Defaults of models up to `NARROW`: the narrower one is, the larger the steps it can take."""


def fitting(values: dict[str, Any], learnt: bool) -> dict[str, Any]:
    """The settings of a run that begins: those given, and where none are, what fits them.

    Args:
        values: those given.
        learnt: whether it begins with weights that have learnt, which large steps would spoil.

    Raises:
        UserError: for an unknown name or a value that is not allowed.
    """
    config = TrainConfig().updated(values)
    warmup = min(config.schedule.warmup_steps, config.schedule.max_steps // 10)
    width = config.model.n_embd or SHAPES[config.model.preset].n_embd
    own = OF_NARROW if width <= NARROW and not learnt else {}
    return own | {"warmup_steps": warmup} | values


RECIPES = Path(__file__).parent / "recipes"


def find_recipe(name: str) -> Path:
    """A TOML file by its path, or a recipe of ours by its name.

    Raises:
        UserError: where there is neither.
    """
    path = expanded(name)
    ours = {recipe.stem: recipe for recipe in sorted(RECIPES.glob("*.toml"))}
    if path.is_file():
        return path
    if name not in ours:
        raise UserError(
            f"There is no file {name}.", f"Give a TOML file, or one of {', '.join(ours)}."
        )
    return ours[name]


def read_toml(path: Path) -> dict[str, Any]:
    """The flat settings of a TOML file; keys may stand at the top or in their section.

    Raises:
        UserError: where the file is missing, is not TOML, or has a setting in a wrong place.
    """
    flat: dict[str, Any] = {}
    for name, section, value in _settings_in(reading.read_toml(path)):
        if section is not None and SECTION_OF.get(name) != section:
            raise UserError(f"{path}: [{section}] has no setting {name!r}.", _nearest(name))
        if name in flat:
            raise UserError(f"{path}: {name} stands there twice.", "Take one of them out.")
        flat[name] = value
    for section, config_class in SECTIONS.items():
        own = {name: value for name, value in flat.items() if SECTION_OF.get(name) == section}
        flat |= arguments_from(config_class, own)
    return flat


def _settings_in(content: dict[str, Any]) -> Iterator[tuple[str, str | None, Any]]:
    """Name, section and value of every setting; flags, and so people, write hyphens in names."""
    for key, value in content.items():
        inside = isinstance(value, dict)
        for name, inner in value.items() if inside else [(key, value)]:
            yield name.replace("-", "_"), key if inside else None, inner


def _nearest(name: str) -> str:
    """What to do about a setting that is not there, or not in its section."""
    found = [name] if name in SECTION_OF else get_close_matches(name, SECTION_OF, 1)
    if found:
        return f"Did you mean {found[0]}, of the section [{SECTION_OF[found[0]]}]?"
    return f"Sections are {', '.join(SECTIONS)}; `mgpt-tui train --help` has the settings."
