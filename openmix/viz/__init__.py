"""Pictures of what a mixup does."""
