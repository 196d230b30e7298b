"""The last feature map of a convolutional network and what its classifier makes of each place."""

from torch import nn


def linear_head(net: nn.Module) -> nn.Linear | None:
    """The linear classifier of a network whose features are maps ``(N, C, H, W)``, else None."""
    tokens = hasattr(net, "blocks") and getattr(net, "cls_token", None) is not None
    if tokens or getattr(net, "output_fmt", "NCHW") != "NCHW":
        return None
    if not (hasattr(net, "forward_features") and hasattr(net, "get_classifier")):
        return None
    head = net.get_classifier()
    return head if isinstance(head, nn.Linear) else None
