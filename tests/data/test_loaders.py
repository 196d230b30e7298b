import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from openmix.data.augment import CropFlip
from openmix.data.base import Folder
from openmix.data.loaders import FolderLoader, MemoryLoader, Order
from openmix.errors import ConfigError, DataError


class Noise:
    """A transform that draws from all three generators a transform may use."""

    def __call__(self, picture):
        draws = [torch.rand(1).item(), random.random(), np.random.rand()]
        pixels = torch.tensor([int(256 * draw) for draw in draws], dtype=torch.uint8)
        return torch.cat([pixels, torch.from_numpy(np.array(picture))[0, 0]])[None, None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    paths = []
    for number in range(13):
        paths.append(str(root / f"{number}.png"))
        Image.new("RGB", (4, 4), (number, 0, 0)).save(paths[-1])
    return Folder(str(root), paths, np.arange(13) % 3, ["a", "b", "c"])


def memory_loader(order, augment=None):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (order.size, 1, 6, 6), dtype=torch.uint8, generator=generator)
    return MemoryLoader(images, torch.arange(order.size), order, augment=augment)


def same(batches, others):
    batches, others = list(batches), list(others)
    assert len(batches) == len(others)
    for (images, labels), (other_images, other_labels) in zip(batches, others, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(labels, other_labels)


SIZES = {"size": st.integers(8, 60), "batch_size": st.integers(1, 20), "world": st.integers(1, 4)}


@settings(max_examples=60, deadline=None)
@given(**SIZES, epoch=st.integers(0, 5), seed=st.integers(0, 2**31 - 1))
def test_training_shares_are_disjoint_and_equal(size, batch_size, world, epoch, seed):
    orders = [Order(size, batch_size, True, seed, rank, world) for rank in range(world)]
    shares = [order.epoch(epoch).tolist() for order in orders]
    everything = [image for share in shares for image in share]
    assert len(set(everything)) == len(everything)
    assert len({(len(order), order.images) for order in orders}) == 1
    per_rank = size // world
    assert orders[0].images == (
        per_rank if per_rank < batch_size else per_rank // batch_size * batch_size
    )
    sizes = [len(orders[0].batch(orders[0].epoch(epoch), n)) for n in range(len(orders[0]))]
    assert sizes == [min(batch_size, per_rank)] * len(orders[0])


@settings(max_examples=60, deadline=None)
@given(**SIZES)
def test_evaluation_sees_every_image_once(size, batch_size, world):
    orders = [Order(size, batch_size, False, rank=rank, world=world) for rank in range(world)]
    loaders = [memory_loader(order) for order in orders]
    seen = [labels for loader in loaders for _, labels in loader.batches()]
    assert sorted(torch.cat(seen).tolist()) == list(range(size))
    assert len(seen) == sum(len(loader) for loader in loaders)
    assert sum(loader.images_per_epoch for loader in loaders) == size


def test_world_size_keeps_the_joint_batches():
    one = Order(50, 12, True, seed=4)
    four = [Order(50, 3, True, 4, rank, 4) for rank in range(4)]
    for number in range(4):
        joint = torch.cat([order.batch(order.epoch(2), number) for order in four])
        assert sorted(joint.tolist()) == sorted(one.batch(one.epoch(2), number).tolist())


def test_order_depends_on_seed_and_epoch():
    orders = [
        tuple(Order(40, 4, True, seed).epoch(epoch).tolist()) for seed in (0, 1) for epoch in (0, 1)
    ]
    assert len(set(orders)) == 4
    assert all(sorted(order) == list(range(40)) for order in orders)


@settings(max_examples=40, deadline=None)
@given(
    **SIZES,
    rank=st.integers(0, 3),
    epoch=st.integers(0, 3),
    start=st.integers(0, 9),
    augmented=st.booleans(),
)
def test_memory_starts_anywhere(size, batch_size, world, rank, epoch, start, augmented):
    order = Order(size, batch_size, True, 5, rank % world, world)
    loader = memory_loader(order, CropFlip(2) if augmented else None)
    full = list(loader.batches(epoch))
    assert len(full) == len(loader)
    same(loader.batches(epoch, start), full[start:])


def test_memory_augments_anew_each_epoch_and_rank():
    def first(epoch, rank):
        order = Order(1, 1, True, 0) if rank is None else Order(2, 1, True, 0, rank, 2)
        loader = MemoryLoader(
            torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(order.size, 1, 8, 8),
            torch.zeros(order.size, dtype=torch.long),
            order,
            augment=CropFlip(4),
        )
        return next(loader.batches(epoch))[0]

    drawn = [first(epoch, None) for epoch in range(4)] + [first(0, 0), first(0, 1)]
    distinct = {tuple(images.flatten().tolist()) for images in drawn[:4]}
    assert len(distinct) == 4
    assert not torch.equal(drawn[4], drawn[5])


def test_memory_augments_every_batch_anew():
    images = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(64, 1, 8, 8)
    labels = torch.zeros(64, dtype=torch.long)
    loader = MemoryLoader(images, labels, Order(64, 16, True), augment=CropFlip(4))
    drawn = {tuple(batch.flatten().tolist()) for batch, _ in loader.batches()}
    assert len(drawn) == len(loader) == 4


def test_folder_draws_anew_for_every_image_and_epoch(folder):
    loader = FolderLoader(folder, Order(13, 13, False), transform=Noise())
    drawn = torch.cat([next(loader.batches(epoch))[0] for epoch in range(3)])[:, 0, 0, :3]
    assert len({tuple(draws) for draws in drawn.tolist()}) == 3 * 13


def test_memory_leaves_global_generators_alone():
    before = torch.get_rng_state()
    list(memory_loader(Order(20, 4, True), CropFlip(1)).batches())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("train", [True, False])
def test_folder_is_the_same_from_any_start_with_any_workers(folder, train):
    order = Order(13, 3, train, seed=7)
    alone = FolderLoader(folder, order, transform=Noise())
    helped = FolderLoader(folder, order, transform=Noise(), workers=2)
    epochs = [list(alone.batches(epoch)) for epoch in range(3)]
    assert len(epochs[0]) == len(alone) == (4 if train else 5)
    # The first use of workers starts in the middle: there DataLoader asks its sampler twice.
    for epoch, start in [(2, 3), (0, 0), (1, 0), (0, 2), (1, len(alone))]:
        same(alone.batches(epoch, start), epochs[epoch][start:])
        same(helped.batches(epoch, start), epochs[epoch][start:])
    for images, labels in epochs[1]:
        assert images.dtype == torch.uint8
        assert torch.equal(images[:, 0, 0, 3].long() % 3, labels)


def test_folder_epoch_can_be_left_early(folder):
    order = Order(13, 2, True, seed=1)
    alone = FolderLoader(folder, order, transform=Noise())
    helped = FolderLoader(folder, order, transform=Noise(), workers=2)
    left = helped.batches(0)
    next(left), next(left)
    same(helped.batches(1, 1), list(alone.batches(1))[1:])


def test_folder_ranks_share_the_images(folder):
    order = [Order(13, 2, True, 0, rank, 2) for rank in range(2)]
    joint = [FolderLoader(folder, o, transform=Noise()).batches(3) for o in order]
    pictures = [images[:, 0, 0, 3] for batches in joint for images, _ in batches]
    numbers = torch.cat(pictures).tolist()
    assert len(numbers) == len(set(numbers)) == 12


@pytest.mark.parametrize("workers", [0, 2])
def test_folder_leaves_global_generators_alone(folder, workers):
    loader = FolderLoader(folder, Order(13, 4, True), transform=Noise(), workers=workers)
    torch.manual_seed(3), random.seed(3), np.random.seed(3)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    batches = loader.batches()
    next(batches)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_picture_is_named_in_one_line(tmp_path, workers):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("RGB", (64, 64)).save(good)
    bad.write_bytes(good.read_bytes()[:60])
    folder = Folder(str(tmp_path), [str(good), str(bad)], np.array([0, 1]), ["a", "b"])
    loader = FolderLoader(folder, Order(2, 2, False), workers=workers)
    with pytest.raises(DataError) as error:
        next(loader.batches())
    assert str(bad) in str(error.value) and "\n" not in str(error.value)
    del error  # it holds the loader, whose workers would be waited for in a later test


def test_pictures_of_two_sizes_need_a_transform(tmp_path):
    paths = [str(tmp_path / f"{size}.png") for size in (4, 5)]
    for size, path in zip((4, 5), paths, strict=True):
        Image.new("RGB", (size, size)).save(path)
    folder = Folder(str(tmp_path), paths, np.zeros(2, dtype=np.int64), ["a"])
    with pytest.raises(DataError, match="augment=imagenet"):
        next(FolderLoader(folder, Order(2, 2, False)).batches())


def test_grey_pictures(folder):
    images, _ = next(FolderLoader(folder, Order(13, 4, False), channels=1).batches())
    assert images.shape == (4, 1, 4, 4)


def test_float_transform_is_refused(folder):
    loader = FolderLoader(folder, Order(13, 4, False), transform=lambda _: torch.zeros(3, 4, 4))
    with pytest.raises(ConfigError, match="uint8"):
        next(loader.batches())


@pytest.mark.parametrize("arguments", [(3, 0, True), (3, 1, True, 0, 2, 2), (3, 1, True, 0, 0, 4)])
def test_impossible_orders(arguments):
    with pytest.raises(ConfigError):
        Order(*arguments)
