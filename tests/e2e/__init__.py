"""Tests of the whole: a real `ssechat serve`, its private Redis, and real connections."""
