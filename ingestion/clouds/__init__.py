"""Cloud billing exports in object storage: one module per cloud."""
