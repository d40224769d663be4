"""From a draft to what Core really runs: review, release, restore, targets, proof."""
