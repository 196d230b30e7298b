"""Features on their way into the classifier, as the network's own pass makes them."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from openmix.errors import Unsupported


@contextmanager
def inputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what ``module`` is called with inside the block, with gradient."""
    seen: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    try:
        yield seen
    finally:
        handle.remove()


def classifier(net: nn.Module) -> nn.Linear:
    """The linear layer that makes logits of pooled features.

    Raises:
        Unsupported: the network has none.
    """
    head = net.get_classifier() if hasattr(net, "get_classifier") else None
    if not isinstance(head, nn.Linear):
        raise Unsupported(f"{type(net).__name__} has no linear classifier; choose another backbone")
    return head


def pooling(net: nn.Module) -> nn.Module:
    """The module that pools the last feature map ``(N, C, H, W)``.

    Raises:
        Unsupported: the network has none under timm's name.
    """
    found = [module for name, module in net.named_modules() if name.endswith("global_pool")]
    if len(found) != 1:
        raise Unsupported(
            f"{type(net).__name__} has no module global_pool to read the last features from; "
            "choose another backbone, such as backbone=resnet50"
        )
    return found[0]
