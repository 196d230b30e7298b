"""Backbones: timm's models, with stems for small images, and the Wide ResNets timm lacks."""

import timm
import torch.nn.functional as F
from timm.layers import create_classifier
from torch import Tensor, nn


def small_resnet(
    model_name: str, num_classes: int, in_chans: int = 3, drop_path_rate: float = 0.0
) -> nn.Module:
    """A ResNet or ResNeXt of timm with the CIFAR stem: one 3x3 convolution, no pooling.

    Everything else, the initialisation included, is timm's.
    """
    net = timm.create_model(
        model_name, num_classes=num_classes, in_chans=in_chans, drop_path_rate=drop_path_rate
    )
    net.conv1 = nn.Conv2d(in_chans, net.conv1.out_channels, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    net.maxpool = nn.Identity()
    for info in net.feature_info:
        info["reduction"] = max(info["reduction"] // 4, 1)
    return net


class _PreActBlock(nn.Module):
    """BN-ReLU-conv twice, with a 1x1 shortcut where the shape changes."""

    def __init__(self, inputs: int, width: int, stride: int, dropout: float):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.dropout = dropout
        changes = stride != 1 or inputs != width
        self.shortcut = nn.Conv2d(inputs, width, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(x))
        skip = x if self.shortcut is None else self.shortcut(out)
        out = F.relu(self.bn2(self.conv1(out)))
        if self.dropout:
            out = F.dropout(out, self.dropout, self.training)
        return self.conv2(out) + skip


class WideResNet(nn.Module):
    """Wide ResNet (https://arxiv.org/abs/1605.07146) for small images, in timm's vocabulary.

    Args:
        depth: 6n + 4 layers. width: channels over those of a plain ResNet (16, 32, 64).
        dropout: between the convolutions of a block.
    """

    def __init__(
        self, depth: int, width: int, num_classes: int, in_chans: int = 3, dropout: float = 0.0
    ):
        super().__init__()
        if (depth - 4) % 6:
            raise ValueError(f"depth of a Wide ResNet must be 6n + 4, got {depth}")
        channels = [16 * width, 32 * width, 64 * width]
        self.num_classes, self.num_features = num_classes, channels[-1]
        self.conv1 = nn.Conv2d(in_chans, 16, 3, padding=1, bias=False)
        inputs, self.feature_info = 16, []
        for i, chs in enumerate(channels):
            blocks = [
                _PreActBlock(inputs if j == 0 else chs, chs, 2 if i > 0 and j == 0 else 1, dropout)
                for j in range((depth - 4) // 6)
            ]
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
            self.feature_info.append(dict(num_chs=chs, reduction=2**i, module=f"layer{i + 1}"))
            inputs = chs
        self.bn = nn.BatchNorm2d(channels[-1])
        self.global_pool, self.fc = create_classifier(self.num_features, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def get_classifier(self) -> nn.Module:
        return self.fc

    def forward_features(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return F.relu(self.bn(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        x = self.global_pool(x)
        return x if pre_logits else self.fc(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def parameters(net: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
