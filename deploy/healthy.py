"""The container's health check: whether the server in it can do its work. Exits with 0 if so, else with 1."""

import http.client
import os
import sys


def ready(port: int) -> bool:
    """Whether /healthz/ready says so within 4 seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/healthz/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not ready(int(os.environ.get("SSECHAT_PORT", "8000"))))
