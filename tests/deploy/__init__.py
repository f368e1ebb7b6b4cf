"""The stack of deploy/, run for real: `bash tests/run --stack`. It needs podman and podman-compose."""
