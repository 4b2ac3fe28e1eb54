"""Test doubles that speak real protocols: `tests.support.openai_server.ScriptedServer`."""
