"""What a network looks at in its input, by the gradient of its loss."""

import torch
from torch import Tensor, nn

from openmix.internals.modes import evaluating


def input_saliency(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """:func:`gradient_saliency` of ``x`` in evaluation mode, ``(N, H, W)``.

    So rows do not meet in batch statistics and running ones do not move.
    """
    with evaluating(net), torch.enable_grad():
        x = x.detach().requires_grad_()
        return gradient_saliency(net(x), x, y)


def gradient_saliency(logits: Tensor, x: Tensor, y: Tensor, keep_graph: bool = False) -> Tensor:
    """Root mean square over channels of the gradient of cross-entropy by the input, ``(N, H, W)``.

    ``logits`` come from ``x``, which requires a gradient; with ``keep_graph`` there may be another
    backward pass. No parameter's gradient is computed. The loss is summed, not averaged, over rows:
    in half precision the gradients of a mean vanish.
    """
    loss = -(logits.to(y.dtype).log_softmax(1) * y).sum()
    (gradient,) = torch.autograd.grad(loss, x, retain_graph=keep_graph)
    return gradient.to(y.dtype).square().mean(1).sqrt()
