"""Tests of the compose stack in deploy/: `bash tests/run --stack`. It needs podman and podman-compose."""
