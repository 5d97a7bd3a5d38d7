"""What a training run starts from: its documents, features and settings, complete before the first step.

Computing it needs no torch, so that mistakes are reported before torch is imported; `Setup.loader` and `Setup.learner`
do. All that depends on which model is trained is here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from textclf import encoders
from textclf.artefacts import runs
from textclf.config import NONE, TrainConfig
from textclf.dataset import finding, own_encoder
from textclf.dataset.directory import UNSEEN, DataDirectory, Part, Store, together
from textclf.dataset.manifest import read_manifest
from textclf.errors import ArtefactError, DataError, UsageError
from textclf.models import user
from textclf.models.model import EMBEDDING, FeatureCache, Features
from textclf.models.user import UserModel
from textclf.system import failures, files, memory, workers
from textclf.system.startup import processors
from textclf.system.wording import counted
from textclf.text import arrays
from textclf.text.tokenizer import Tokenizer
from textclf.training import source_run
from textclf.training.class_weights import weigh
from textclf.training.ranks import ALONE, Ranks

if TYPE_CHECKING:
    import torch

    from textclf.dataset.vectors import Vectors
    from textclf.encoders import Encoder
    from textclf.training.batches import BatchLoader
    from textclf.training.initial_weights import InitialWeights
    from textclf.training.learner import Learner
    from textclf.training.objective import Sigmoid, Softmax

READ_AT_ONCE: Final = 256  # documents
TOKENS_AT_ONCE: Final = 1_000_000  # of these documents, unless one alone has more
TRAINED_ON: Final = ("train", "refit")
MOST_WORKERS: Final = 8  # loader processes; more would wait for each other

DocumentBatch = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.integer]]
"""Token ids of documents end to end, their lengths, and their rows in the table of documents."""

Setting = TypeVar("Setting", int, float)


class Encoded(NamedTuple):
    """A sentence encoder, and the vectors that it makes of the documents of all parts."""

    encoder: "Encoder"
    vectors: "Vectors"


class WordTable(NamedTuple):
    """The vectors that embeddings begin with."""

    columns: NDArray[np.float32] | None
    """Shape (rows, D), the last columns of the embeddings; None: a checkpoint has them already."""
    record: dict[str, Any]
    """What config.json and metrics.json say of them."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that a training run is made from."""

    config: TrainConfig
    """The settings, each with a value."""
    data: DataDirectory
    store: Store
    """Where token ids are read."""
    tokenizer: Tokenizer
    features: Features
    """Fitted on the training documents; the artefact keeps them."""
    cache: FeatureCache | None
    """The same features with those of the documents that every epoch reads, if the model wants a cache."""
    parts: Mapping[str, Part]
    """The documents of "train", "validation", "refit" (both) if the run may have a refit, "test" if it is tested."""
    class_weights: NDArray[np.float32] | None
    """The weight of each class in the training loss, shape (C,); None if all weigh the same."""
    seconds: float
    """Spent on computing all this."""
    ranks: Ranks = ALONE
    """The processes that train together."""
    encoded: "Encoded | None" = None
    """What a sentence encoder makes of the documents, if there is one."""
    words: "WordTable | None" = None
    """Vectors of words, if the settings name some."""

    def loader(self, part: str, processor: "torch.device") -> "BatchLoader":
        """Batches of a part: shuffled for each epoch if it is trained on, else sorted by length."""
        from textclf.training import batches

        config, documents, cache = self.config, self.parts[part], self.cache
        architecture = config.kind.architecture()
        store = batches.SkipCached(self.store, cache.has) if cache and config.store == "packed" else self.store
        sampler: batches.EpochSampler | batches.LengthSortedSampler
        if part in TRAINED_ON:
            sampler = batches.EpochSampler(
                len(documents),
                batch_size=required(config.batch_size),
                seed=config.seed,
                lengths=_read_lengths(documents, config) if architecture.sorts_by_length else None,
            )
        else:
            sampler = batches.LengthSortedSampler(documents.lengths)
        return batches.make_loader(
            batches.TokenDataset(store, *documents, share=self.ranks.share),
            sampler,
            partial(architecture.collate, inputs=cache or self.features),
            num_workers=self._workers(processor) if part in TRAINED_ON else 0,
            device=processor,
            names=self.data.documents.names,
            kind=self._kind_of_loader(part, processor),
        )

    def learner(
        self, batches: "BatchLoader | None", processor: "torch.device", initial: "InitialWeights | None" = None
    ) -> "Learner":
        """The model before its first step on these batches, and its optimizer; None leaves out the head start.

        ``initial``: the weights that it has before that, and keeps where the head start would move them.
        """
        import torch

        from textclf.training import learner
        from textclf.training.batches import to_device
        from textclf.training.learner import Adam, Learner, start_at_log_odds

        config, architecture = self.config, self.config.kind.architecture()
        torch.manual_seed(config.seed % 2**63)
        model = architecture.network(**self.network_arguments()).to(processor)
        if self.words is not None:
            learner.begin_with(
                model.get_parameter(EMBEDDING),
                self.words.columns,
                dimension=self.words.record["dimension"],
                is_frozen=config.freeze_vectors,
            )
        if self.data.is_multi and not config.user_model:
            counts = self.data.counts_of(self.parts["train"].rows)
            start_at_log_odds(model, np.array(list(counts.values())), documents=len(self.parts["train"]))
        if initial is not None:
            initial.put(model)
        if architecture.head_start is not None and batches is not None:
            batches.batch_sampler.epoch = 0  # type: ignore[union-attr]  # the order follows from the seed as well
            sets = getattr(self.objective(processor), "sets", None)
            architecture.head_start(model, (to_device(batch, processor) for batch in batches), sets)
            if initial is not None:
                initial.put(model)
        return Learner.of(model, Adam(model, lr=required(config.lr), fused=processor.type != "mps"))

    def batches(self, part: str) -> Iterator["DocumentBatch"]:
        """The token ids of the documents of a part, some at a time, in its order."""
        return _batches(self.store, self.parts[part], READ_AT_ONCE)

    def objective(self, processor: "torch.device") -> "Softmax | Sigmoid":
        """The loss: one label per document, or several, as the data has them."""
        import torch

        from textclf.training.objective import Sigmoid, Softmax

        smoothing = required(self.config.label_smoothing)
        weights = None if self.class_weights is None else torch.from_numpy(self.class_weights).to(processor)
        if not self.data.is_multi:
            return Softmax(smoothing, weights)
        sets = self.data.label_sets().matrix(self.data.manifest.labels)
        return Sigmoid(torch.from_numpy(sets.astype(np.float32)).to(processor), smoothing, weights)

    def network_arguments(self) -> dict[str, Any]:
        """Keyword arguments of the network: sizes that follow from the data, and the settings that it has."""
        settings = {name: getattr(self.config, name) for name in self.config.kind.architecture().settings}
        chosen = {name: value for name, value in settings.items() if value is not None}
        if self.words is not None:
            chosen["embedding_size"] += self.words.record["dimension"]
        return {**self.features.sizes, "classes": len(self.data.manifest.labels), **chosen}

    def user_model(self) -> UserModel | None:
        """The user's class, if the model is one, with the arguments of its network."""
        made = self.config.user_model
        return made and UserModel(made.code, self.network_arguments())

    def network_record(self) -> dict[str, Any]:
        """What config.json and metrics.json say about a user's class, in addition to the settings."""
        made = self.user_model()
        return {"network": made.record()} if made else {}

    def changed(self, **settings: Any) -> "Setup":
        """The same documents and features with other settings; ``max_length`` would need other features."""
        config = replace(self.config, **settings)
        weights = _class_weights(config, self.data, self.parts["train"])
        return replace(self, config=config, class_weights=weights)

    def clear_cache(self) -> None:
        """Free the cached features, when no epoch will read them any more."""
        if self.cache:
            self.cache.clear()

    def _kind_of_loader(self, part: str, processor: "torch.device") -> "Callable[..., BatchLoader]":
        """One that holds its documents on the device, if asked to, or on CUDA: where every epoch reads them."""
        from textclf.training.batches import BatchLoader
        from textclf.training.resident import ResidentLoader

        hold, asked = self.config.kind.architecture().resident, self.config.resident
        is_wanted = processor.type == "cuda" if asked is None else asked
        if hold is None or not is_wanted or part not in (*TRAINED_ON, "validation"):
            return BatchLoader
        return partial(ResidentLoader, hold=hold, processor=processor)

    def _workers(self, processor: "torch.device") -> int:
        """Number of loader processes: as configured, else 0 for the packed store on a CPU; 0 where none may start."""
        if not workers.may_start():
            return 0
        if self.config.num_workers is not None:
            return self.config.num_workers
        if self.config.store == "packed" and processor.type == "cpu":
            return 0
        return min(max(processors() // self.ranks.local_count, 1), MOST_WORKERS)


def settings_of(run: runs.RunLayout, *, code: Sequence[Path] = ()) -> TrainConfig:
    """The settings that a run started with, and the user's class, if it has one, from one of the files ``code``.

    Raises ArtefactError if its config.json is damaged, UsageError if the class is not there.
    """
    try:
        record = runs.read_json(run.config)
        network = record.get("network")
        user_model = user.of_record(network, code=code, root=run.root) if network else None
        return TrainConfig.from_json(record["settings"], user_model=user_model)
    except (LookupError, TypeError, ValueError) as error:
        raise ArtefactError(f"{run.config} is damaged, or from another version ({error})") from error


def started_with(run: runs.RunLayout, *, code: Sequence[Path] = ()) -> tuple[TrainConfig, DataDirectory]:
    """Settings and data of a stopped run; raises what `settings_of` does, UsageError if the data has changed."""
    if not run.config.exists():
        raise UsageError(
            f"{run.root} has no config.json: it stopped before its settings were saved; train again: textclf train"
        )
    config, made = settings_of(run, code=code), runs.data_of(run)
    return config, DataDirectory.open(made.path, fingerprint=made.fingerprint, described=made.described)


def set_up_while_torch_loads(config: TrainConfig) -> Setup:
    """`set_up` in a forked process, while this one imports torch; raises what it raises.

    On an idle machine training on 20newsgroups then takes a tenth less time, and 80 MB less: Arrow, and the memory that
    reading documents needs for a moment, stay with the other process. Where a copy could not work, as in a program with
    threads, one comes after the other.
    """
    root = finding.find(config.data, config.data_dir)
    read_manifest(root)  # if there is no such data, it is said before torch is imported
    source_run.source_of(config)
    if config.encoder is not None:
        encoders.find(config.encoder)
    if config.unlabelled:
        own_encoder.find(config.unlabelled, column=config.unlabelled_column)
    if config.user_model or not workers.can_fork():
        return set_up(config)
    with workers.pool(1, imports=__name__, advice="free some and run it again") as pool:
        try:
            ready = pool.submit(set_up, config)
            import textclf.training.run  # noqa: F401  which imports torch

            return ready.result()
        except BaseException:  # such as Ctrl-C: nobody waits for the other process any more
            pool.kill()
            raise


def set_up(
    config: TrainConfig,
    data: DataDirectory | None = None,
    *,
    parts: Mapping[str, Part] | None = None,
    read_at_once: int = READ_AT_ONCE,
) -> Setup:
    """Fit the features, and fill the settings that depend on the documents.

    parts: other documents than those of the tier and the splits, named as these are in `Setup.parts`.
    Raises UsageError if there is no such data, DataError if no document of a split has a label of a training document.
    """
    started = perf_counter()
    data = data or DataDirectory.open(finding.find(config.data, config.data_dir))
    store = data.store(config.store)
    parts = _parts(config, data) if parts is None else dict(parts)
    weights = _class_weights(config, data, parts["train"])
    config = config.completed(**parts["train"].size()._asdict(), is_multi=data.is_multi)
    if config.refit is not False:
        parts["refit"] = together(parts["train"], parts["validation"])
    tokenizer = read_tokenizer(data)
    training, validation = (_batches(store, parts[split], read_at_once) for split in ("train", "validation"))
    learn = config.kind.runtime().learn
    features, cache = learn(training, validation=validation, tokenizer=tokenizer, max_length=config.max_length)
    store = copy(store)  # mapped again, if it is: what was read of it need not stay in memory
    memory.return_freed_memory()  # before torch is imported, whose own memory would lie between the free parts
    return Setup(config, data, store, tokenizer, features, cache, parts, weights, perf_counter() - started)


def _class_weights(config: TrainConfig, data: DataDirectory, train: Part) -> NDArray[np.float32] | None:
    """Raises what `weigh` raises; nothing is counted if all classes weigh the same."""
    if config.class_weights == NONE:
        return None
    counts = data.counts_of(train.rows)
    return weigh(config.class_weights, counts, documents=len(train), is_multi=data.is_multi)


def _parts(config: TrainConfig, data: DataDirectory) -> dict[str, Part]:
    parts = data.parts(config.tier, shots=config.shots, seed=config.seed)
    if not config.test:
        parts.pop("test", None)
    if config.test and "test" not in parts:
        raise DataError(f"{data.layout.root} has no test split; train without one: --no-test")
    for split in ("validation", "test") if config.test else ("validation",):
        if split not in parts or (parts[split].labels <= UNSEEN).all():
            raise DataError(f"{data.layout.root}: no {split} document has a label that a training document has")
    return parts


def read_tokenizer(data: DataDirectory) -> Tokenizer:
    """The vocabulary of a data directory; raises ArtefactError if it is damaged or of another size."""
    path = data.layout.tokenizer
    try:
        tokenizer = Tokenizer.from_json(files.parse_object(files.read_bytes(path)))
        if tokenizer.size != data.manifest.vocabulary:
            raise ValueError(
                f"it has {counted(tokenizer.size, 'word')}, and the manifest counts {data.manifest.vocabulary:,}"
            )
    except (OSError, ValueError) as error:
        damage = ArtefactError(f"{path} is damaged ({error}); rebuild it: textclf preprocess SOURCE --overwrite")
        raise failures.refused(error, path) or damage from error
    return tokenizer


def _read_lengths(documents: Part, config: TrainConfig) -> NDArray[np.int32]:
    """Tokens of each document that the model reads."""
    return documents.lengths if config.max_length is None else np.minimum(documents.lengths, config.max_length)


def required(value: Setting | None) -> Setting:
    """A setting that must have a value by now."""
    if value is None:
        raise ValueError("a setting is still open")
    return value


def required_encoded(setup: Setup) -> Encoded:
    """What the encoder of a setup that has one makes of the documents."""
    if setup.encoded is None:
        raise ValueError("there is no encoder")
    return setup.encoded


def _batches(store: Store, part: Part, size: int) -> Iterator[DocumentBatch]:
    """``size`` documents at a time, fewer if they are long."""
    for some in arrays.row_slices(arrays.offsets(part.lengths), at_most=TOKENS_AT_ONCE, rows=size):
        rows = part.rows[some]
        yield *store.gather(rows), rows
