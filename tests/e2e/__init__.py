"""End-to-end tests: a real `ssechat serve` with an embedded Redis, over real connections."""
