"""How good a trained network is: accuracy, likelihood and calibration on clean images."""
