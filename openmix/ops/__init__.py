"""Pure tensor functions shared by the mixups: draws, pairings, boxes and masks."""
