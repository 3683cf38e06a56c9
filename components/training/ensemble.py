"""The mean of several models as one ONNX graph: every member answers, and their answers are averaged.

Features, where they have them, are the first member's alone: another one's mean something else.
"""

from collections.abc import Sequence

from onnx import ModelProto, NodeProto, helper

from components.errors import ParamsError
from components.training.onnx_export import INPUT

# More than this no ONNX file can hold: it is one protobuf message.
MOST_BYTES = 2**31 - 1
_BYTES_A_PARAMETER = 4


def refuse_too_many(parameters: int, members: int) -> None:
    """Refuse members that would not fit into one file, before any of them is trained.

    Args:
        parameters: of one member.
        members: how many there are.

    Raises:
        ParamsError: they do not fit.
    """
    most = MOST_BYTES // (parameters * _BYTES_A_PARAMETER)
    if members > most:
        raise ParamsError(
            f"folds x seeds is {members}, but a bundle holds no more than {most} networks of {parameters:,} parameters (2 GiB); "
            "set fewer folds or seeds"
        )


def average(models: Sequence[bytes], output: str) -> bytes:
    """Put models of one input and one output (and maybe features) together into the one that answers with their mean.

    Args:
        models: serialised ONNX models as `export_onnx` writes them, all for the same images; one or more.
        output: name of the output.

    Returns:
        A serialised ONNX model, the same bytes for the same models; a single model is given back as it is.
    """
    if len(models) == 1:
        return models[0]
    mean = ModelProto.FromString(models[0])
    del mean.graph.node[:], mean.graph.initializer[:]
    for place, model in enumerate(models):
        graph = ModelProto.FromString(model).graph
        for tensor in graph.initializer:
            tensor.name = _own(place, tensor.name)
        for node in graph.node:
            _rename(node, place)
        mean.graph.node.extend(graph.node)
        mean.graph.initializer.extend(graph.initializer)
    mean.graph.node.append(helper.make_node("Mean", [_own(place, output) for place in range(len(models))], [output], name="Mean"))
    others = [one.name for one in mean.graph.output if one.name != output]
    mean.graph.node.extend(helper.make_node("Identity", [_own(0, name)], [name], name=name) for name in others)
    serialised: bytes = mean.SerializeToString(deterministic=True)
    return serialised


def _rename(node: NodeProto, place: int) -> None:
    node.name = _own(place, node.name)
    # An input that is left out has no name.
    node.input[:] = [name if name in (INPUT, "") else _own(place, name) for name in node.input]
    node.output[:] = [_own(place, name) for name in node.output]


def _own(place: int, name: str) -> str:
    return f"member-{place:02d}/{name}"
