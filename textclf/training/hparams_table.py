"""A row of TensorBoard's HParams table: settings and figures of a run.

TensorBoard takes the columns from whichever run it finds first, so every run names the same ones. It shows five
settings and five figures until the user ticks others, and sorts settings by name, so names begin with a number and
show without it.
"""

from collections.abc import Mapping
from typing import Any, Final

from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo

from textclf.system import escaping

SHOWN: Final = ("model", "tier", "seed", "lr", "batch_size")
"""Settings whose columns are shown, in this order."""

LEFT_OUT: Final = ("data", "data_dir", "run_dir", "test", "store", "num_workers", "device", "precision")
"""Settings that do not make one model better than another."""

TEXTS: Final = (
    "model", "tier", "seed", "class_weights", "vectors", "encoder", "unlabelled", "unlabelled_column", "init_from",
    "monitor", "refit",
)  # fmt: skip
"""Settings that are not numbers, and the seed, which would be shown as 0.0000."""


def start(settings: Mapping[str, Any], figures: Mapping[str, str]) -> list[Summary]:
    """The columns of all runs and the settings of this one; a model lacks those that are None.

    figures: the name of each column by the tag of the scalar whose last point it shows.
    """
    named = [*SHOWN, *sorted(set(settings).difference(SHOWN, LEFT_OUT))]
    names = {name: f"{place:02}_{name}" for place, name in enumerate(named)}
    columns = [
        api_pb2.HParamInfo(
            name=names[name],
            display_name=name,
            type=api_pb2.DATA_TYPE_STRING if name in TEXTS else api_pb2.DATA_TYPE_FLOAT64,
            differs=name in SHOWN,
        )
        for name in named
    ]
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=name) for tag, name in figures.items()]
    session = SessionStartInfo()
    for name in named:
        value = settings.get(name)
        if value is None or value == []:
            continue
        if name in TEXTS:
            text = ", ".join(value) if isinstance(value, list) else value
            session.hparams[names[name]].string_value = escaping.line(text)
        else:
            session.hparams[names[name]].number_value = value
    return [
        _summary(metadata.EXPERIMENT_TAG, experiment=api_pb2.Experiment(hparam_infos=columns, metric_infos=metrics)),
        _summary(metadata.SESSION_START_INFO_TAG, session_start_info=session),
    ]


def end() -> Summary:
    """Says that the run is finished."""
    return _summary(metadata.SESSION_END_INFO_TAG, session_end_info=SessionEndInfo(status=api_pb2.STATUS_SUCCESS))


def _summary(tag: str, **content: Any) -> Summary:
    data = HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, **content)
    plugin = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=data.SerializeToString())
    return Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))])
