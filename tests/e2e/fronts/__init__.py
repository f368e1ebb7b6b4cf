"""The shipped configurations of nginx, HAProxy and Caddy, run in front of real servers."""
