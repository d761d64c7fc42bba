"""What comes in: targets, tables, images and masks, splits, resampling and batches."""
