"""The metrics of a board: their direction, unit and digits."""

HIGHER_IS_BETTER = {"top1": True, "top5": True, "nll": False, "ece": False}
NAMES = {
    "top1": "top-1 accuracy in percent",
    "top5": "top-5 accuracy in percent",
    "nll": "negative log-likelihood in nats",
    "ece": "expected calibration error in percent",
}
DIGITS = {"top1": 2, "top5": 2, "nll": 4, "ece": 2}
