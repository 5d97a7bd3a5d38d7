"""The companions of a network: other classifiers of the same documents, learned apart. The sum of all predicts.

One is linear, if the model brings it, and one learns from the vectors of a sentence encoder, if there is one. Their few
epochs are chosen beforehand, and the learning rate falls to zero over them, so that they need no validation documents
to stop and may learn from these in the end. Before that, they are learned from the training documents alone: the
weights of the sum are fitted on what all answer for documents that none has learned from.
"""

from collections.abc import Callable
from contextlib import closing
from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textclf.artefacts.encoder_view import EncoderView
from textclf.evaluation.pooling import fit_weights
from textclf.evaluation.scoring import scoring_of
from textclf.training import falling, vector_classifier
from textclf.training.batches import to_device
from textclf.training.display import Display
from textclf.training.finish import logits_of
from textclf.training.learner import Adam
from textclf.training.loop import StepOptions
from textclf.training.setup import Setup, required

EPOCHS: Final = 4
LR: Final = 0.3
"""For batches of 64 documents; it grows with the square root of their size."""
EPSILON: Final = 1e-2
"""What Adam adds to the root of each mean squared gradient. Features that are rare have smaller gradients, so that they
move less than frequent ones, as weight decay would have it."""

NETWORK: Final = 1.0
"""Weight of the network's logits where there are too few validation documents to tell."""
PULL: Final = 1.0
"""How strongly few validation documents hold to the usual weights, where vectors are among what is weighed.

With 50 to 199 documents accuracy was 0.7 points higher than with the usual weights alone, over twelve parts of six
development corpora, and with fewer it was the same.
"""

Logits = NDArray[np.float32]


class Companion(NamedTuple):
    """A classifier that can be learned from the documents of a part."""

    learn: Callable[[str], Any]
    """Returns None if it is not worth its time."""
    answers: Callable[[Any], Logits]
    """Its logits (D, C) of the validation documents, once it is learned."""
    usual: float
    """The weight of its logits where there are too few validation documents to tell."""
    title: str
    epochs: Callable[[int], int]
    """For this number of documents."""


class Joined(NamedTuple):
    """What the companions have become. D validation documents, C classes."""

    validation: Logits
    """The logits (D, C) of all together."""
    share: float = 0.0
    """Weight of the linear companion's logits in the sum of its and the network's, from 0 to 1; at 0 there is none."""
    view: EncoderView | None = None
    """The companion that has learned from vectors, and its weight in the whole sum."""


def join(
    setup: Setup, network: Any, validation: Logits, *, options: StepOptions, display: Display | None = None
) -> Joined:
    """Learn the network's companions, if it has any, and add the linear one to the network.

    ``validation``: the network's logits, shape (D, C), of documents that it had not learned from. The companions that
    are added have learned from them, unless the settings say that no refit may.
    """
    companions = _companions(setup, options)

    def learn_from(part: str, name: str) -> Any:
        each, documents = companions[name], len(setup.parts[part])
        if display is not None:
            display.begin_companion(each.title, documents=documents, epochs=each.epochs(documents))
        return each.learn(part)

    found = {name: learn_from("train", name) for name in companions}
    learned = {name: made for name, made in found.items() if made is not None}
    if not learned:
        return Joined(validation)
    answers = {name: companions[name].answers(made) for name, made in learned.items()}
    weights = fit_weights(
        scoring_of(setup.data),
        setup.parts["validation"].classes,
        [validation, *answers.values()],
        usual=[NETWORK, *(companions[name].usual for name in learned)],
        pull=PULL if "vectors" in learned else None,
    )
    shares = {name: share for name, share in zip(learned, weights[1:].tolist(), strict=True) if share}
    if "refit" in setup.parts:
        learned = {name: learn_from("refit", name) for name in shares}
    of_view, view = shares.get("vectors", 0.0), None
    share = shares.get("linear", 0.0) / (1 - of_view)
    if share:
        network.add(learned["linear"], share=share)
        validation = (1 - share) * validation + share * answers["linear"]
    if of_view:
        view = vector_classifier.as_view(setup, learned["vectors"], share=of_view)
        validation = (1 - of_view) * validation + of_view * answers["vectors"]
    return Joined(validation, share, view)


def _companions(setup: Setup, options: StepOptions) -> dict[str, Companion]:
    """Those that this model may have."""

    def answers(linear: Any) -> Logits:
        return logits_of(linear, setup.loader("validation", options.device), options=options)

    found = {}
    if setup.config.kind.architecture().companion is not None:
        found["linear"] = Companion(
            lambda part: learn(setup, part, options=options), answers, NETWORK, "linear classifier", lambda _: EPOCHS
        )
    if setup.encoded is not None:
        found["vectors"] = Companion(
            lambda part: vector_classifier.learn(setup, part, options=options),
            lambda made: vector_classifier.answers(setup, made, "validation"),
            vector_classifier.USUAL,
            "classifier of vectors",
            vector_classifier.epochs_of,
        )
    return found


def learn(setup: Setup, part: str, *, options: StepOptions) -> Any:
    """A linear companion that has learned from the documents of a part; None if the network has none."""
    make = setup.config.kind.architecture().companion
    if make is None:
        return None
    with closing(setup.loader(part, options.device)) as batches:
        batches.batch_sampler.epoch = 0  # type: ignore[union-attr]
        sets = getattr(options.objective, "sets", None)
        made = make((to_device(batch, options.device) for batch in batches), sets, **setup.network_arguments())
        if made is None:
            return None
        lr = LR * sqrt(required(setup.config.batch_size) / 64)
        optimizer = Adam(made, lr=lr, fused=options.device.type != "mps")
        optimizer.epsilon = EPSILON
        falling.learn(made, optimizer, batches, epochs=EPOCHS, options=options)
    return made
