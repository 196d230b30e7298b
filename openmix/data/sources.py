"""Where data sets come from: every function returns (train, test) as Arrays or Folder."""

from openmix.data.cifar import cifar10, cifar100
from openmix.data.digits import digits
from openmix.data.fashion_mnist import fashion_mnist
from openmix.data.folders import imagefolder, imagenet
from openmix.data.tiny_imagenet import tiny_imagenet

__all__ = [
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "imagefolder",
    "imagenet",
    "tiny_imagenet",
]
