"""What a network looks at in its input, by the gradient of its loss."""

import torch
from torch import Tensor, nn

from openmix.internals.modes import evaluating


def input_saliency(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Root mean square over channels of the gradient of cross-entropy by the input, ``(N, H, W)``.

    In evaluation mode, so that rows do not meet in batch statistics and running ones do not move.
    No parameter's gradient is computed. The loss is summed, not averaged, over rows: in half
    precision the gradients of a mean vanish.
    """
    with evaluating(net), torch.enable_grad():
        x = x.detach().requires_grad_()
        loss = -(net(x).to(y.dtype).log_softmax(1) * y).sum()
        (gradient,) = torch.autograd.grad(loss, x)
    return gradient.to(y.dtype).square().mean(1).sqrt()
