from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from openmix.data.base import Arrays
from openmix.data.pipeline import build
from openmix.data.splits import noisy, split
from openmix.errors import ConfigError, DataError

CONFIGS = Path(__file__).parents[2] / "configs"
NONE = {"batch": None, "train": None, "test": None}
LABELS = np.arange(300) % 3


def arrays(count=300, size=8, classes=3):
    generator = torch.Generator().manual_seed(0)
    train, test = (
        Arrays(
            torch.randint(0, 256, (n, 1, size, size), dtype=torch.uint8, generator=generator),
            torch.arange(n) % classes,
        )
        for n in (count, 50)
    )
    return train, test


def node(**changes):
    return {
        "source": {"_target_": f"{__name__}.arrays"},
        "name": None,
        "num_classes": 3,
        "channels": 1,
        "size": 8,
        "mean": [0.5],
        "std": [0.25],
        "val_fraction": 0.0,
        "label_noise": 0.0,
        "train_limit": None,
    } | changes


def make(dataset, augment=NONE, seed=0, batch_size=16, eval_batch_size=32, **rest):
    return build(
        dataset,
        augment,
        batch_size=batch_size,
        eval_batch_size=eval_batch_size,
        device="cpu",
        seed=seed,
        **rest,
    )


def labels_by_image(loader):
    return {
        tuple(image.flatten().tolist()): int(label)
        for images, labels in loader.batches()
        for image, label in zip(images, labels, strict=True)
    }


def config(group, name):
    tree = OmegaConf.create(
        {"paths": {"data": "."}, group: OmegaConf.load(CONFIGS / group / f"{name}.yaml")}
    )
    return tree[group]


def test_plain():
    data = make(node())
    assert data.sizes == {"train": 300, "val": 0, "test": 50}
    assert data.val is None and len(data.train) == 18 and len(data.test) == 2
    _, test = arrays()
    assert labels_by_image(data.test) == {
        tuple(image.flatten().tolist()): int(label)
        for image, label in zip(test.images, test.labels, strict=True)
    }
    assert data.digest.train == 300 and data.digest.test == 50
    assert len(data.checksum) == 64


def test_seed_changes_the_order_and_nothing_else():
    changes = {"val_fraction": 0.1, "label_noise": 0.5, "train_limit": 160}
    one, two = (make(node(**changes), seed=seed) for seed in (1, 2))
    assert labels_by_image(one.train) == labels_by_image(two.train)
    assert labels_by_image(one.val) == labels_by_image(two.val)
    assert one.checksum == two.checksum == make(node()).checksum
    first, other = (next(data.train.batches())[1] for data in (one, two))
    assert not torch.equal(first, other)


def test_noise_is_on_training_labels_only():
    truth = labels_by_image(make(node(), batch_size=300).train)
    data = make(node(label_noise=1.0, val_fraction=0.2), batch_size=240)
    train, val = labels_by_image(data.train), labels_by_image(data.val)
    assert len(train) == 240 and len(val) == 60
    assert not set(train) & set(val)
    assert all(truth[image] == label for image, label in val.items())
    assert 120 < sum(truth[image] != label for image, label in train.items()) < 200
    assert labels_by_image(data.test) == labels_by_image(make(node()).test)


def test_noise_is_uniform_over_all_classes():
    labels = np.zeros(50_000, dtype=np.int64)
    share = np.bincount(noisy(labels, 0.4, 10), minlength=10) / 50_000
    assert abs(share[0] - 0.64) < 0.01
    assert (abs(share[1:] - 0.04) < 0.005).all()
    assert (noisy(labels, 0.0, 10) == labels).all()


def test_split_is_stratified():
    train, val = split(LABELS, 0.1, None)
    assert np.bincount(LABELS[val]).tolist() == [10, 10, 10]
    assert sorted(train.tolist() + val.tolist()) == list(range(300))


def test_limits_are_nested_and_spare_the_held_out():
    small, _ = split(LABELS, 0.1, 20)
    large, val = split(LABELS, 0.1, 90)
    assert len(small) == 20 and len(large) == 90
    assert set(small.tolist()) < set(large.tolist())
    assert not set(large.tolist()) & set(val.tolist())


@pytest.mark.parametrize(
    "fraction, limit", [(0.0, 301), (0.1, 271), (0.0, 0), (1e-9, None), (1.0, None)]
)
def test_impossible_splits(fraction, limit):
    with pytest.raises(ConfigError):
        split(LABELS, fraction, limit)


@pytest.mark.parametrize(
    "changes, fragments",
    [
        ({"size": 9}, ["(1, 8, 8)", "dataset.size=8"]),
        ({"channels": 3, "mean": [0.5] * 3, "std": [1] * 3}, ["dataset.channels=1"]),
        ({"num_classes": 2}, ["dataset.num_classes=3"]),
        ({"mean": [0.5, 0.5]}, ["dataset.mean"]),
        ({"train_limit": 999}, ["train_limit=999", "300"]),
    ],
)
def test_data_that_does_not_fit(changes, fragments):
    with pytest.raises(ConfigError) as error:
        make(node(**changes))
    assert "\n" not in str(error.value)
    for fragment in fragments:
        assert fragment in str(error.value)


def test_errors_of_what_a_config_names_arrive_as_they_are(tmp_path):
    source = {"_target_": "openmix.data.sources.cifar100", "root": str(tmp_path)}
    with pytest.raises(DataError, match=r"^CIFAR100 is missing"):
        make(node(source=source))
    crop = {"_target_": "openmix.data.augment.CropFlip", "pad": 9}
    with pytest.raises(ConfigError, match=r"^augment.batch.pad=9 .* take at most 7"):
        make(node(), NONE | {"batch": crop})
    with pytest.raises(ConfigError, match=r"^CropFlip needs pad"):
        make(node(), NONE | {"batch": crop | {"pad": -1}})


def test_per_image_transforms_are_refused_in_memory():
    flip = {"_target_": "torchvision.transforms.v2.RandomHorizontalFlip"}
    with pytest.raises(ConfigError, match="augment=none"):
        make(node(), NONE | {"train": [flip]})


def test_digits_from_the_configs():
    data = make(config("dataset", "digits"), config("augment", "none"), batch_size=64)
    images, _ = next(data.test.batches())
    assert data.sizes == {"train": 1000, "val": 0, "test": 797}
    everything = torch.cat([data.normalise(images) for images, _ in data.train.batches()])
    assert abs(everything.mean()) < 0.02 and abs(everything.std() - 1) < 0.02
    assert images.shape == (32, 1, 8, 8)


@pytest.mark.parametrize("name", ["flip", "crop_flip", "rrc"])
def test_batch_augments_from_the_configs(name):
    data = make(node(), config("augment", name))
    images, labels = next(data.train.batches())
    assert images.shape == (16, 1, 8, 8) and labels.shape == (16,)
    assert not torch.equal(images, next(data.train.batches(1))[0])
    plain, _ = next(data.test.batches())
    assert (plain.numpy() == arrays()[1].images[:32]).all()


@pytest.fixture
def pictures(tmp_path):
    generator = torch.Generator().manual_seed(0)
    for part, count in (("train", 6), ("test", 3)):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = torch.randint(0, 256, (40, 40, 3), dtype=torch.uint8, generator=generator)
                Image.fromarray(pixels.numpy()).save(tmp_path / part / name / f"{number}.png")
    dataset = config("dataset", "imagefolder")
    dataset.source.root = str(tmp_path)
    dataset.num_classes = 2
    return dataset


@pytest.mark.parametrize("name", ["imagenet", "deit"])
def test_folder_augments_from_the_configs(pictures, name):
    tree = OmegaConf.create(
        {"dataset": pictures, "augment": OmegaConf.load(CONFIGS / "augment" / f"{name}.yaml")}
    )
    data = make(tree.dataset, tree.augment, batch_size=4)
    images, labels = next(data.train.batches())
    assert images.shape == (4, 3, 224, 224) and images.dtype == torch.uint8
    assert set(labels.tolist()) <= {0, 1}
    assert next(data.test.batches())[0].shape == (6, 3, 224, 224)
    assert torch.equal(next(data.train.batches())[0], images)
    assert data.sizes == {"train": 12, "val": 0, "test": 6}


def test_folder_split_and_noise(pictures):
    pictures.val_fraction, pictures.size = 0.34, 40
    data = make(pictures, NONE, batch_size=4)
    assert data.sizes == {"train": 8, "val": 4, "test": 6}
    assert sorted(torch.cat([labels for _, labels in data.val.batches()]).tolist()) == [0, 0, 1, 1]


def test_folder_of_another_number_of_classes(pictures):
    pictures.num_classes = 3
    with pytest.raises(DataError, match=r"2 class folders.*dataset.num_classes=2"):
        make(pictures)


def resize(size):
    return [{"_target_": "torchvision.transforms.v2.Resize", "size": size}]


@pytest.mark.parametrize(
    "size, train, test",
    [
        (40, None, None),
        (32, resize(32), resize(32)),
        (32, resize(24), resize(32)),  # as in the recipe A3 of ResNet Strikes Back
    ],
)
def test_size_and_transforms_agree(pictures, size, train, test):
    pictures.size = size
    data = make(pictures, {"batch": None, "train": train, "test": test}, batch_size=4)
    assert next(data.test.batches())[0].shape[1:] == (3, size, size)


@pytest.mark.parametrize(
    "size, train, test, message",
    [
        (32, None, resize(32), r"^train images .* \(3, 40, 40\), .* \(3, 32, 32\); set dataset"),
        (
            64,
            resize(32),
            resize(32),
            r"^test images .* \(3, 32, 32\), .* \(3, 64, 64\); "
            r"set dataset.size=32 or augment.train.0.size=64 augment.test.0.size=64$",
        ),
        (64, None, resize([32, 48]), r"^test images .* \(3, 32, 48\).*augment=imagenet makes them"),
        (32, resize([24, 32]), resize(32), r"^train images .* \(3, 24, 32\)"),
    ],
)
def test_size_and_transforms_disagree(pictures, size, train, test, message):
    pictures.size = size
    with pytest.raises(ConfigError, match=message):
        make(pictures, {"batch": None, "train": train, "test": test})


def test_channels_and_transforms_agree(pictures):
    grey = [{"_target_": "torchvision.transforms.v2.Grayscale"}]
    pictures.size = 40
    with pytest.raises(ConfigError, match=r"\(1, 40, 40\).*set dataset.channels=1"):
        make(pictures, NONE | {"test": grey})


def test_a_transform_that_cannot_be_built_is_named(pictures):
    with pytest.raises(ConfigError, match=r"^augment.test.0 cannot be built \(size can"):
        make(pictures, NONE | {"test": resize([1, 2, 3])})


class Half:
    """A batched augment that loses pixels."""

    def prepare(self, images):
        return images

    def __call__(self, store, index, generator):
        return store[index, :, ::2, 1:]


def test_batched_augment_keeps_the_size():
    augment = NONE | {"batch": {"_target_": f"{__name__}.Half"}}
    with pytest.raises(ConfigError, match=r"\(1, 4, 7\).*augment.batch must keep"):
        make(node(), augment)


def other(images=None, labels=None):
    train, test = arrays()
    images = train.images if images is None else images(train.images)
    return Arrays(images, train.labels if labels is None else labels(train.labels)), test


def floats():
    return other(images=lambda images: images / 255)


def one_hot():
    return other(labels=lambda labels: np.eye(3, dtype=int)[labels])


def too_few():
    return other(labels=lambda labels: labels[:-1])


def real():
    return other(labels=lambda labels: labels + 0.5)


def tensors():
    return other(torch.from_numpy, lambda labels: torch.from_numpy(labels).int())


def backwards():
    return other(lambda images: images[::-1, :, ::-1])


@pytest.mark.parametrize(
    "source, words",
    [
        ("floats", "images as float64"),
        ("one_hot", r"labels as int64 \(300, 3\)"),
        ("too_few", "one for each of the 300 images"),
        ("real", "labels as float64"),
    ],
)
def test_a_source_of_other_makes_is_refused(source, words):
    with pytest.raises(DataError, match=words):
        make(node(source={"_target_": f"{__name__}.{source}"}))


def test_a_source_may_give_tensors_and_views():
    plain = labels_by_image(make(node()).test)
    for name in ("tensors", "backwards"):
        data = make(node(source={"_target_": f"{__name__}.{name}"}))
        images, labels = next(data.train.batches())
        assert images.dtype == torch.uint8 and labels.dtype == torch.int64
        assert labels_by_image(data.test) == plain


def test_a_source_must_give_two_parts():
    with pytest.raises(ConfigError, match=r"must return \(train, test\).*not dict"):
        make(node(source={"_target_": "builtins.dict"}))


def test_batch_augment_is_refused_for_folders(pictures):
    with pytest.raises(ConfigError, match="augment=imagenet"):
        make(pictures, config("augment", "crop_flip"))


@pytest.mark.parametrize("path", sorted((CONFIGS / "dataset").glob("*.yaml")), ids=lambda p: p.stem)
def test_dataset_configs_have_one_schema(path):
    from openmix.data import sources

    dataset = OmegaConf.load(path)
    if "defaults" in dataset:
        dataset = OmegaConf.merge(
            OmegaConf.load(path.parent / f"{dataset.defaults[0]}.yaml"), dataset
        )
        del dataset["defaults"]
    assert set(dataset) == set(node())
    module, name = dataset.source._target_.rsplit(".", 1)
    assert module == "openmix.data.sources" and name in sources.__all__
    assert len(dataset.mean) == len(dataset.std) == dataset.channels
